//! What a registry behind a server is asked, and what it answers: the wire types of the HTTP API.
//!
//! Reading needs none of them: a server shows the objects as they are. Writing goes to the server as what it means, because
//! the policy is enforced in the write path, and that must not run at whoever wants to write.

pub mod v1;
