//! A store behind a server reads as any other.

use std::sync::Mutex;

use promptops_store::{Store, StoreOptions, conformance};

use crate::harness::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_behind_a_server_reads_as_the_store_itself() {
    // Kept until the end: a server that is dropped stops answering.
    let servers = Mutex::new(Vec::new());
    conformance::run_reads(async || {
        let server = Server::trusting().await;
        let through = Store::open(&server.url, &StoreOptions::default()).unwrap();
        let store = server.store.clone();
        servers.lock().unwrap().push(server);
        (store, through)
    })
    .await;
}
