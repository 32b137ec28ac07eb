//! A server on a free port, and requests whose answers are held against the description of the API.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use promptops_prompt::owners::{Owners, Person};
use promptops_prompt::{Body, Metadata, Prompt};
use promptops_registry::keys::{KEY_ENTROPY_BYTES, KeyRequest, Token};
use promptops_registry::{Policy, Provenance, Registry, Submission};
use promptops_server::{Access, HeldRules, Settings};
use promptops_store::{Store, StoreOptions};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use ssh_key::LineEnding;
use ssh_key::private::{Ed25519Keypair, PrivateKey};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub const POLICY: &str = r#"
    [environments.staging]
    [environments.prod]
    protected = true
    [[policy.sensitive]]
    tags = ["legal"]
    groups = ["legal"]
    [policy.namespaces]
    owned = ["github.com/acme/other"]
"#;

/// The time that the server has.
pub fn now() -> DateTime<Utc> {
    "2026-11-01T03:00:00Z".parse().unwrap()
}

/// The key that Bob approves with.
pub fn bobs_key() -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[7; 32]))
}

/// Ann writes, Bob approves.
pub fn owners() -> Owners {
    let person = |name: &str, keys| Person { name: None, email: Some(format!("{name}@example.com")), keys, github: None };
    let bob = bobs_key().public_key().to_openssh().unwrap();
    Owners {
        people: [("ann".to_owned(), person("ann", vec![])), ("bob".to_owned(), person("bob", vec![bob]))].into(),
        teams: [("legal".to_owned(), ["bob".to_owned()].into())].into(),
        ..Owners::default()
    }
}

pub fn held_rules() -> HeldRules {
    HeldRules { policy: Policy::from_toml(POLICY).unwrap(), owners: owners(), revision: "4b825dc642".to_owned() }
}

/// A version with a template; above 1 it comes from the version before.
pub fn prompt(name: &str, template: &str) -> Prompt {
    let name: promptops_prompt::PromptRef = name.parse().unwrap();
    let parent = promptops_prompt::Version::new(name.version.number() - 1).map(|version| name.id.at(version));
    Prompt {
        id: name.id,
        version: name.version,
        parent,
        model: "claude-3-5-sonnet".into(),
        parameters: serde_json::from_value(json!({"temperature": 0})).unwrap(),
        inputs: BTreeMap::from([("name".to_owned(), json!({"type": "string"}))]),
        output: None,
        tools: None,
        body: Body::Template(template.into()),
        metadata: Metadata { owner: "support".into(), purpose: Some("Greet people".into()), ..Metadata::default() },
    }
}

pub fn provenance() -> Provenance {
    Provenance {
        commit: Some("4b825dc642cb6eb9a060e54bf8d69288fbee4904".into()),
        author: "ann@example.com".into(),
        time: now(),
        source: "github.com/acme/prompts".into(),
        path: "prompts/greeting.yaml".into(),
        run: None,
    }
}

/// A server, its store as whoever runs it sees it, and a client.
pub struct Server {
    pub url: String,
    pub store: Store,
    pub registry: Registry,
    pub client: reqwest::Client,
    pub token: Option<String>,
    stop: Option<oneshot::Sender<()>>,
    ended: Option<JoinHandle<Result<(), promptops_server::ServeError>>>,
    keys_made: std::sync::atomic::AtomicU8,
}

impl Server {
    /// Starts one that trusts everybody on this machine, in Ann's name.
    pub async fn trusting() -> Self {
        Self::start(|settings| settings.access = Access::Trusted { actor: "ann@example.com".to_owned() }).await
    }

    /// Starts one that takes keys, and knows at once of every change of them.
    pub async fn start(change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_on(Store::open("memory://", &StoreOptions::default()).unwrap(), change).await
    }

    pub async fn start_on(store: Store, change: impl FnOnce(&mut Settings)) -> Self {
        let (registry, _) = Registry::init(store.clone(), "ops@example.com", now()).await.unwrap();
        let mut settings = Settings::new(now);
        settings.rules = Some(Arc::new(|| Ok(held_rules())));
        settings.hold = Duration::ZERO;
        settings.limits.requests_per_second = 0;
        change(&mut settings);
        let scheme = if settings.tls.is_some() { "https" } else { "http" };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let served = promptops_server::serve(listener, registry.clone(), settings, async {
            let _ = stopped.await;
        });
        Self {
            url,
            store,
            registry,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            token: None,
            stop: Some(stop),
            ended: Some(tokio::spawn(served)),
            keys_made: 0.into(),
        }
    }

    /// Tells the server to end, and returns what waits for that.
    pub fn stop(&mut self) -> JoinHandle<Result<(), promptops_server::ServeError>> {
        self.stop.take().unwrap().send(()).unwrap();
        self.ended.take().unwrap()
    }

    /// Makes a key with these scopes that holds for a day, for an actor of the name.
    pub async fn key(&self, name: &str, scopes: &[&str]) -> Token {
        let scopes: Vec<_> = scopes.iter().map(|scope| scope.parse().unwrap()).collect();
        let actor = format!("{name}@example.com");
        let request = KeyRequest { name, actor: &actor, scopes: &scopes, expires: now() + TimeDelta::days(1) };
        let number = self.keys_made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let entropy = [number; KEY_ENTROPY_BYTES];
        self.registry.create_key(&request, &entropy, "ops@example.com", now()).await.unwrap().1
    }

    /// Publishes as whoever has the store, past the server.
    pub async fn publish(&self, prompt: &Prompt) {
        let provenance = provenance();
        let submission = Submission { prompt, provenance: &provenance };
        let policy = held_rules().policy;
        self.registry.publish(&submission, &policy, "ci@example.com", now()).await.unwrap();
    }

    /// Opens the registry through the server, with a key.
    pub async fn remote(&self, token: Option<&Token>) -> Registry {
        let key = token.map(|token| ("PROMPTOPS_API_KEY".to_owned(), token.reveal()));
        let options = StoreOptions { settings: key.into_iter().collect(), ..StoreOptions::default() };
        Registry::open(Store::open(&self.url, &options).unwrap()).await.unwrap()
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, self.request(Method::POST, path).json(body)).await
    }

    /// Sends a request, and holds the answer against the description.
    pub async fn send(&self, method: Method, path: &str, request: reqwest::RequestBuilder) -> Answer {
        let answer = Answer::new(request.send().await.unwrap()).await;
        answer.assert_as_described(&method, path);
        answer
    }
}

/// An answer, read.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub text: String,
}

impl Answer {
    pub async fn new(response: Response) -> Self {
        let text = |value: &reqwest::header::HeaderValue| value.to_str().unwrap().to_owned();
        let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        Self { status: response.status().as_u16(), headers, text: response.text().await.unwrap() }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts that this is a success, and returns its body.
    #[track_caller]
    pub fn well(&self) -> Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        self.json()
    }

    /// Asserts that this is a problem of a name, and returns what it says.
    #[track_caller]
    pub fn problem(&self, status: u16, name: &str) -> String {
        assert_eq!((self.status, self.header("content-type")), (status, "application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["type"], format!("https://promptops.dev/problems/{name}"), "{self:?}");
        assert_eq!((problem["status"].as_u64(), self.header("cache-control")), (Some(status.into()), "no-store"));
        problem["detail"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn assert_as_described(&self, method: &Method, path: &str) {
        let path = path.split('?').next().unwrap();
        let Some(operation) = operation(method, path) else {
            assert!(matches!(self.status, 404 | 405), "nothing describes {method} {path}: {self:?}");
            return;
        };
        let responses = &operation["responses"];
        let class = format!("{}XX", self.status / 100);
        let response = responses.get(self.status.to_string()).or_else(|| responses.get(&class));
        let response = response.unwrap_or_else(|| panic!("{method} {path} has no status {}", self.status));
        let content_type = self.header("content-type").split(';').next().unwrap();
        if response.get("content").is_none() {
            assert_eq!(self.text, "", "{method} {path} has a body");
            return;
        }
        let content = response["content"].get(content_type);
        let content = content.unwrap_or_else(|| panic!("{method} {path} does not answer in {content_type}: {self:?}"));
        if content_type.ends_with("json") {
            match content["schema"]["$ref"].as_str() {
                Some(reference) => assert_fits(&self.json(), reference.rsplit('/').next().unwrap()),
                None => assert!(self.json().is_object(), "{method} {path}: {self:?}"),
            }
        }
    }
}

/// Asserts that a value is as the description says of a schema.
#[track_caller]
pub fn assert_fits(value: &Value, schema: &str) {
    let schema = json!({"components": DOCUMENT["components"], "$ref": format!("#/components/schemas/{schema}")});
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(value).map(|error| format!("{error} at {}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:?}: {value}");
}

pub static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(&promptops_server::openapi_document()).unwrap());

/// Finds what describes a request.
fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let fits = |template: &str| {
        if let Some(start) = template.strip_suffix("{key}") {
            return path.len() > start.len() && path.starts_with(start);
        }
        let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
        template.len() == path.len() && template.iter().zip(&path).all(|(one, other)| one == other || one.starts_with('{'))
    };
    let paths = DOCUMENT["paths"].as_object().unwrap();
    // A literal word is nearer than a name for any.
    let mut found: Vec<_> = paths.iter().filter(|(template, _)| fits(template)).collect();
    found.sort_by_key(|(template, _)| template.matches('{').count());
    found.first()?.1.get(method.as_str().to_lowercase())
}

/// Signs for Bob that a version may go to prod.
pub fn approval(registry_record: &promptops_registry::VersionRecord) -> (Value, String) {
    use promptops_prompt::evidence::{APPROVAL_PREDICATE, Statement};

    let predicate = json!({"environment": "prod", "group": "legal", "approver": "bob",
        "time": "2026-11-01T02:59:00Z", "expires": "2026-12-01T00:00:00Z"});
    let statement = Statement::new(registry_record.reference(), registry_record.digest, APPROVAL_PREDICATE, predicate);
    let signature = bobs_key().sign("promptops-approval", ssh_key::HashAlg::Sha512, &statement.to_bytes()).unwrap();
    (serde_json::to_value(&statement).unwrap(), signature.to_pem(LineEnding::LF).unwrap())
}
