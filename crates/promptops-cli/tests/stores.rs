//! Registries on stores that do not do what they should.

#![cfg(test)]

mod support;

use insta::assert_snapshot;
use promptops_store::conformance::s3_server::{Fault, S3Server};
use support::{Project, Run};

/// Runs a command against the registry in a bucket of the server.
fn run(project: &Project, server: &S3Server, arguments: &[&str]) -> Run {
    let mut command = project.promptops(arguments.iter().chain(&["--registry", "s3://prompts/registry"]));
    command.envs(server.options().settings);
    project.finish(command)
}

#[test]
fn a_store_that_ignores_create_only_gets_no_registry() {
    let (project, server) = (Project::committed(), S3Server::start());
    server.ignore_create_only();
    assert_snapshot!(run(&project, &server, &["registry", "init"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: the store ignores create-only writes, so published objects could be replaced: `s3://prompts/registry`
    hint: use a server that honours `If-None-Match: *` on PUT (Amazon S3, MinIO, R2, Ceph from version 19), or a `file://` store
    "#);
    server.take_requests();
    run(&project, &server, &["publish"]);
    assert!(server.take_requests().iter().all(|request| request.starts_with("GET")), "nothing is published there");
}

#[test]
fn a_store_that_stops_to_honour_create_only_fails_verification() {
    let (project, server) = (Project::committed(), S3Server::start());
    assert_eq!(run(&project, &server, &["registry", "init"]).exit, 0);
    assert_eq!(run(&project, &server, &["publish"]).exit, 0);
    assert_eq!(run(&project, &server, &["registry", "verify"]).exit, 0);
    server.ignore_create_only();
    assert_snapshot!(run(&project, &server, &["registry", "verify"]), @r#"
    exit: 2
    ----- stdout -----
    ----- stderr -----
    error: the store ignores create-only writes, so published objects could be replaced: `s3://prompts/registry`
    hint: use a server that honours `If-None-Match: *` on PUT (Amazon S3, MinIO, R2, Ceph from version 19), or a `file://` store
    "#);
}

#[test]
fn a_bucket_that_may_only_be_read() {
    let (project, server) = (Project::committed(), S3Server::start());
    assert_eq!(run(&project, &server, &["registry", "init"]).exit, 0);
    server.refuse_writes();
    let refused = run(&project, &server, &["publish"]);
    // How long the refused request took is part of the cause.
    let said: Vec<&str> = refused.stderr.lines().filter(|line| !line.starts_with("  cause: ")).collect();
    assert_snapshot!(said.join("\n"), @r#"
    rules: promptops.toml and owners.yaml as of main ([COMMIT])
    error: permission denied for `namespaces/support.json`
    hint: check the credentials and that they may get, put and list under this prefix (without the right to list, S3 answers an absent object with 403)
    "#);
    assert!(refused.exit == 6 && refused.stderr.contains("403 Forbidden"), "{refused}");
    assert_eq!(run(&project, &server, &["list"]).exit, 0, "reading goes on");
    assert_eq!(run(&project, &server, &["registry", "verify", "--read-only"]).exit, 0);
}

/// Every write of a publish loses its answer once, in one of the ways there are.
#[test]
fn a_publish_whose_answers_are_lost_is_complete() {
    for fault in [Fault::DoneThenDropped, Fault::DoneThenStatus(503, "SlowDown"), Fault::DoneThenSilent, Fault::Dropped] {
        let (project, server) = (Project::committed(), S3Server::start());
        assert_eq!(run(&project, &server, &["registry", "init"]).exit, 0);
        server.fail("PUT", &[fault; 3]);
        let published = run(&project, &server, &["publish"]);
        assert_eq!(published.exit, 0, "{fault:?}: {published}");
        let verified = run(&project, &server, &["registry", "verify"]);
        assert_eq!(verified.exit, 0, "{fault:?}: {verified}");
    }
}
