//! Publish, resolve, environments, approvals, policy and the audit log.
