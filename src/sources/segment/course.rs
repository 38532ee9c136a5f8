//! Course ids of Open edX, as far as the organisation in them goes.

/// The organisation that a course id names: `org/course/run`, or `course-v1:org+course+run` with `branch@…` or
/// `version@…` behind it. `None` for everything else, which is never an error.
pub(super) fn organisation(course_id: &str) -> Option<&str> {
    match course_id.strip_prefix("course-v1:") {
        Some(rest) => {
            let mut parts = rest.split('+');
            let organisation = three(&mut parts, |byte| is_plain(byte) || matches!(byte, b'~' | b':'))?;
            parts.all(is_suffix).then_some(organisation)
        }
        None => {
            let mut parts = course_id.split('/');
            let organisation = three(&mut parts, is_plain)?;
            parts.next().is_none().then_some(organisation)
        }
    }
}

/// Three parts of these characters; the first of them.
fn three<'a>(parts: &mut impl Iterator<Item = &'a str>, allowed: impl Fn(u8) -> bool) -> Option<&'a str> {
    let mut next = || parts.next().filter(|part| !part.is_empty() && part.bytes().all(&allowed));
    let organisation = next()?;
    next()?;
    next()?;
    Some(organisation)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'%' | b'-')
}

fn is_suffix(part: &str) -> bool {
    match part.strip_prefix("version@") {
        Some(version) => {
            version.len() == 24 && version.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        }
        None => part.contains('@'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_name_their_organisation() {
        for course_id in [
            "acme/rust101/2024",
            "course-v1:acme+rust101+2024",
            "course-v1:acme+a~b:c+2024+branch@draft",
            "course-v1:acme+r+2+version@0123456789abcdef01234567",
            "course-v1:acme+r+2+branch@b+version@0123456789abcdef01234567",
        ] {
            assert_eq!(organisation(course_id), Some("acme"), "{course_id}");
        }
    }

    #[test]
    fn everything_else_names_none() {
        for course_id in [
            "",
            "invalid",
            "acme/rust",
            "acme/rust/",
            "acme/rust/2024/x",
            "acme/ru st/2024",
            "acme/r~/2024",
            "course-v1:acme+rust101",
            "course-v1:acme++2024",
            "course-v1:acme+r+2+extra",
            "course-v1:acme+r+2+version@0123",
            "course-v1:acme+r+2+version@0123456789ABCDEF01234567",
            "course-v1:acmé+r+2",
            "library-v1:acme+r",
        ] {
            assert_eq!(organisation(course_id), None, "{course_id}");
        }
    }
}
