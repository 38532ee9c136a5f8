//! Course ids of Open edX.

/// The organisation in a course id.
pub(super) fn organisation(course: &str) -> Option<&str> {
    let plain = |part: &str, more: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "_.%-".contains(c) || more.contains(c))
    };
    if let Some(rest) = course.strip_prefix("course-v1:") {
        let parts: Vec<&str> = rest.split('+').collect();
        let fits = parts.len() >= 3 && parts[..3].iter().all(|part| plain(part, "~:"));
        let suffixes =
            parts.get(3..).unwrap_or_default().iter().all(|part| match part.strip_prefix("version@") {
                Some(version) => {
                    version.len() == 24 && version.chars().all(|c| "0123456789abcdef".contains(c))
                }
                None => part.contains('@'),
            });
        return (fits && suffixes).then_some(parts[0]);
    }
    let parts: Vec<&str> = course.split('/').collect();
    (parts.len() == 3 && parts.iter().all(|part| plain(part, ""))).then_some(parts[0])
}
