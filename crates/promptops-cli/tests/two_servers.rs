//! Two servers before one store, one of them killed while eight clients publish and read.

#![cfg(test)]

mod support;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::rc::Rc;

use promptops_prompt::{Body, Metadata, Prompt, PromptRef};
use promptops_registry::{ErrorKind, Policy, Provenance, Registry, RegistryError, Submission};
use promptops_store::{Store, StoreOptions};
use support::Project;
use tokio::sync::Notify;
use tokio::task::LocalSet;

const CLIENTS: usize = 8;
const PUBLISHES: usize = 1_000;
const READS: usize = 10_000;
/// Versions in one request.
const BATCH: usize = 5;
/// After so many publishes the first server dies.
const PUBLISHES_BEFORE_DEATH: usize = PUBLISHES / 3;

/// A server process; killed with the value.
struct Served {
    process: Child,
    url: String,
}

impl Served {
    fn start(project: &Project, store: &[(String, String)], name: &str) -> Self {
        let log = std::fs::File::create(project.path(&format!("{name}.log"))).unwrap();
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--trust-loopback", "--rate-limit", "0", "--log", "events"];
        let mut command = project.promptops(arguments);
        command.envs(store.iter().cloned());
        let mut process = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let url = line.split_whitespace().find(|word| word.starts_with("http")).unwrap();
        Self { process, url: url.trim_end_matches(',').to_owned() }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // One that has ended cannot be killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn prompt(number: usize) -> Prompt {
    Prompt {
        id: format!("load.p{}", number / 2).parse().unwrap(),
        version: promptops_prompt::Version::new(u32::try_from(number % 2 + 1).unwrap()).unwrap(),
        parent: (number % 2 == 1).then(|| format!("load.p{}@1", number / 2).parse().unwrap()),
        model: "m".into(),
        parameters: serde_json::Map::new(),
        inputs: BTreeMap::new(),
        output: None,
        tools: None,
        body: Body::Template(format!("Text of number {number}")),
        metadata: Metadata { owner: "load".into(), ..Metadata::default() },
    }
}

fn provenance() -> Provenance {
    Provenance {
        commit: None,
        author: "ada@example.com".into(),
        time: "2026-11-01T03:00:00Z".parse().unwrap(),
        source: "github.com/acme/prompts".into(),
        path: "prompts/load.yaml".into(),
        run: None,
    }
}

async fn open(url: &str) -> Result<Registry, RegistryError> {
    Registry::open(Store::open(url, &StoreOptions::default())?).await
}

/// A client that goes to the other server when one does not answer.
struct Client {
    servers: [String; 2],
    at: usize,
}

impl Client {
    /// Does something until a server answers, whatever it says.
    async fn ask<T>(&mut self, work: impl AsyncFn(&Registry) -> Result<T, RegistryError>) -> Result<T, RegistryError> {
        loop {
            let answer = match open(&self.servers[self.at]).await {
                Ok(registry) => work(&registry).await,
                Err(error) => Err(error),
            };
            match answer {
                Err(error) if error.kind() == ErrorKind::Unavailable => self.at = 1 - self.at,
                answer => return answer,
            }
        }
    }
}

/// What all clients see.
#[derive(Default)]
struct Progress {
    /// The versions whose publish was answered.
    published: RefCell<BTreeSet<usize>>,
    reads: Cell<usize>,
    found: Cell<usize>,
    /// Told when the first server may die.
    enough: Notify,
}

/// Publishes this client's share, in requests of a few versions.
async fn publish(mut client: Client, numbers: Vec<usize>, progress: Rc<Progress>) {
    let provenance = provenance();
    for some in numbers.chunks(BATCH) {
        let prompts: Vec<Prompt> = some.iter().map(|number| prompt(*number)).collect();
        let submissions: Vec<_> = prompts.iter().map(|prompt| Submission { prompt, provenance: &provenance }).collect();
        let (policy, now) = (Policy::default(), provenance.time);
        let results = client.ask(async |registry| registry.publish_all(&submissions, &policy, "ada", now).await).await.unwrap();
        for result in results {
            result.unwrap();
        }
        progress.published.borrow_mut().extend(some);
        if progress.published.borrow().len() >= PUBLISHES_BEFORE_DEATH {
            progress.enough.notify_one();
        }
    }
}

/// Reads versions, published or not: one whose publish was answered is there, through either server; a record that is there has
/// its content, and that has its digest.
async fn read(mut client: Client, numbers: Vec<usize>, progress: Rc<Progress>) {
    for number in numbers {
        let must_be_there = progress.published.borrow().contains(&number);
        let reference: PromptRef = prompt(number).reference();
        let read = client
            .ask(async |registry| match registry.find_version(&reference).await? {
                Some(record) => Ok(Some((registry.content(&record.digest).await?, record))),
                None => Ok(None),
            })
            .await;
        progress.reads.set(progress.reads.get() + 1);
        let Some((content, record)) = read.unwrap() else {
            assert!(!must_be_there, "the publish of {reference} was answered, and it is not there");
            continue;
        };
        assert_eq!(content.digest(), record.digest);
        assert_eq!(content.body, prompt(number).body, "{reference}");
        progress.found.set(progress.found.get() + 1);
    }
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_over_a_folder() {
    kill_one_of_two(&[]).await;
}

/// versitygw, a real S3 server, which the test runner starts with this bucket in it.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "only the test runner knows where the server is")]
async fn nothing_is_lost_or_doubled_over_a_bucket() {
    const VARIABLE: &str = "PROMPTOPS_TEST_VERSITYGW_ENDPOINT";
    let Some(endpoint) = std::env::var(VARIABLE).ok().filter(|endpoint| !endpoint.is_empty()) else {
        println!("skipped: {VARIABLE} is not set");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().file_name().unwrap().to_string_lossy().trim_start_matches('.').to_owned();
    let store = [
        ("PROMPTOPS_REGISTRY", format!("s3://promptops-tests/two-servers-{name}-{}", std::process::id())),
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ALLOW_HTTP", "true".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
    ];
    kill_one_of_two(&store.map(|(name, value)| (name.to_owned(), value))).await;
}

/// Two servers over the store that the variables name, eight clients that publish a thousand versions and read ten thousand times,
/// and the death of one server in the middle of it.
async fn kill_one_of_two(store: &[(String, String)]) {
    let project = Project::committed();
    let mut init = project.promptops(["registry", "init"]);
    init.envs(store.iter().cloned());
    assert_eq!(project.finish(init).exit, 0);
    let (mut first, second) = (Served::start(&project, store, "first"), Served::start(&project, store, "second"));
    let progress = Rc::new(Progress::default());
    let clients = LocalSet::new();
    let mut tasks = Vec::new();
    for number in 0..CLIENTS {
        let client = || Client { servers: [first.url.clone(), second.url.clone()], at: number % 2 };
        // Each client publishes its own prompts, both versions of each, and reads those of all.
        let own = (0..PUBLISHES).filter(|version| version / 2 % CLIENTS == number).collect();
        tasks.push(clients.spawn_local(publish(client(), own, Rc::clone(&progress))));
        let any = (0..READS / CLIENTS).map(|step| (step * 7 + number * 131) % PUBLISHES).collect();
        tasks.push(clients.spawn_local(read(client(), any, Rc::clone(&progress))));
    }
    clients.run_until(progress.enough.notified()).await;
    // On Unix this is kill −9.
    first.process.kill().unwrap();
    assert!(progress.published.borrow().len() < PUBLISHES, "it died while there was much to publish");
    assert!(progress.reads.get() < READS, "and while there was much to read");
    clients.await;
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!((progress.published.borrow().len(), progress.reads.get()), (PUBLISHES, READS));
    assert!(progress.found.get() > READS / 10, "{} reads found something", progress.found.get());

    let registry = open(&second.url).await.unwrap();
    let prompts = registry.list().await.unwrap();
    assert_eq!(prompts.values().map(Vec::len).sum::<usize>(), PUBLISHES);
    let report = registry.verify(&[]).await.unwrap();
    assert_eq!(report.problems, [], "every publish was repeated until it was answered, so nothing is unfinished");
    let batches = registry.log_batches(1, usize::MAX).await.unwrap();
    let logged: Vec<&str> = batches
        .iter()
        .flat_map(|batch| &batch.entries)
        .filter(|entry| entry.action.name() == "publish")
        .map(|entry| entry.subject.as_str())
        .collect();
    let unique: BTreeSet<&str> = logged.iter().copied().collect();
    assert_eq!((logged.len(), unique.len()), (PUBLISHES, PUBLISHES), "each version is logged once");
}
