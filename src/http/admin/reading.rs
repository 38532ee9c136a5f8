//! Status, events, receipts and the audit.

use std::sync::Arc;

use axum::{extract::State, response::Json};

use super::{
    Admin, Listed,
    parameters::{self, InPath, Parameters},
    problem::Problem,
};
use crate::{
    operate::{
        audit::{Audit, AuditError},
        receipts::{self, ReceiptReport},
        status::Status,
    },
    store::events::{self, EventFilter, StoredEvent},
};

/// What the server is doing.
pub(super) async fn status(
    State(admin): State<Arc<Admin>>,
    asked: Parameters,
) -> Result<Json<Status>, Problem> {
    asked.finish()?;
    Ok(Json(admin.status.now()))
}

/// Stored events.
pub(super) async fn events(
    State(admin): State<Arc<Admin>>,
    mut asked: Parameters,
) -> Result<Json<Listed<StoredEvent>>, Problem> {
    let filter = EventFilter {
        source: asked.text("source"),
        event_type: asked.text("type"),
        action: asked.text("action"),
        user_id: asked.text("user"),
        dedup_key: asked.text("key"),
        received: asked.range()?,
    };
    let (before, limit) = (asked.cursor()?, asked.limit()?);
    asked.finish()?;
    Ok(events::list(&admin.database, &filter, before, limit).await?.into())
}

/// What became of a delivery.
pub(super) async fn receipt(
    State(admin): State<Arc<Admin>>,
    InPath(id): InPath<String>,
    mut asked: Parameters,
) -> Result<Json<ReceiptReport>, Problem> {
    let limit = asked.limit()?;
    asked.finish()?;
    find(&admin, &id, None, limit).await
}

/// What became of one element of a delivery.
pub(super) async fn receipt_element(
    State(admin): State<Arc<Admin>>,
    InPath((id, element)): InPath<(String, String)>,
    asked: Parameters,
) -> Result<Json<ReceiptReport>, Problem> {
    asked.finish()?;
    let element =
        element.parse().map_err(|_| Problem::invalid("the element must be a number up to 65535"))?;
    find(&admin, &id, Some(element), 1).await
}

async fn find(
    admin: &Admin,
    id: &str,
    element: Option<u16>,
    limit: usize,
) -> Result<Json<ReceiptReport>, Problem> {
    let id = parameters::id(id)?;
    let found = receipts::find(&admin.database, &admin.spool, &admin.lanes, id, element, limit).await?;
    if found.elements.is_empty() { Err(Problem::not_found(found.absence())) } else { Ok(Json(found)) }
}

/// Whether everything is accounted for.
pub(super) async fn audit(
    State(admin): State<Arc<Admin>>,
    asked: Parameters,
) -> Result<Json<Audit>, Problem> {
    asked.finish()?;
    Ok(Json(admin.auditor.audit(&admin.database, &admin.spool, admin.status.promised()).await?))
}

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::UnderWay => Self::unavailable(error.to_string()),
            AuditError::Storage(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::{
        http::{StatusCode, header::RETRY_AFTER},
        response::IntoResponse as _,
    };

    use super::*;

    #[test]
    fn who_asks_for_a_second_audit_is_told_to_come_again() {
        let told = Problem::from(AuditError::UnderWay).into_response();
        assert_eq!(told.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(told.headers().contains_key(RETRY_AFTER));
    }
}
