//! Following an environment: what a loader uses when releases come, when the registry does not answer, and when time has passed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its own functions too")]

mod s3;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use promptops::{Arm, Loader, Settings, Warning};
use promptops_prompt::draft::Draft;
use promptops_prompt::owners::Owners;
use promptops_prompt::rollout::bucket;
use promptops_registry::{Authority, Plan, Policy, Provenance, Registry, Split, Submission, Targets};
use promptops_store::{Store, StoreOptions};
use s3::{Mode, S3};
use tempfile::TempDir;

const REPLY: &str = "support.reply";
const MINUTE: i64 = 60_000;

/// A registry in a folder, with `support.reply` in three versions and `shared.tone` in one.
struct Desk {
    folder: TempDir,
    runtime: tokio::runtime::Runtime,
}

impl Desk {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let desk = Self { folder: tempfile::tempdir().unwrap(), runtime };
        desk.runtime.block_on(Registry::init(desk.store(), "ada@example.com", now())).unwrap();
        desk.publish("shared.tone", 1, "Be kind.");
        desk.publish(REPLY, 1, "one");
        desk.publish(REPLY, 2, "{% include \"shared.tone@1\" %} two");
        desk.publish(REPLY, 3, "three");
        desk
    }

    fn publish(&self, id: &str, version: u32, text: &str) {
        let parent = if version > 1 { format!("parent: {}\n", version - 1) } else { String::new() };
        let path = format!("{}.yaml", id.replace('.', "/"));
        let text = format!("id: {id}\nversion: {version}\n{parent}owner: support\nmodel: m\ntags: []\ntemplate: '{text}'\n");
        let prompt = Draft::parse(&path, &text).0.prompt().unwrap();
        let source = "github.com/example/prompts".to_owned();
        let provenance = Provenance { commit: None, author: "ada@example.com".into(), time: now(), source, path, run: None };
        self.with_registry(async |registry, authority| {
            let submission = Submission { prompt: &prompt, provenance: &provenance };
            registry.publish(&submission, authority.policy, "ada@example.com", now()).await.unwrap();
        });
    }

    fn store(&self) -> Store {
        let options = StoreOptions { base_dir: self.folder.path().to_owned(), ..StoreOptions::default() };
        Store::open("file://registry", &options).unwrap()
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Deploys to prod; returns the number of the release.
    fn deploy(&self, targets: &Targets) -> u64 {
        self.with_registry(async |registry, authority| {
            let plan: Plan = registry.plan(&"prod".parse().unwrap(), targets, authority, "ada@example.com", now()).await.unwrap();
            registry.deploy(&plan, authority, "ada@example.com", None, now()).await.unwrap().release.sequence
        })
    }

    fn live(&self, versions: &[&str]) -> u64 {
        let versions = versions.iter().map(|name| name.parse().unwrap()).collect();
        self.deploy(&Targets { versions, ..Targets::default() })
    }

    fn split(&self, control: &str, candidate: &str, percent: &str) -> u64 {
        let (control, candidate, share) = (control.parse().unwrap(), candidate.parse().unwrap(), percent.parse().unwrap());
        self.deploy(&Targets { splits: vec![Split { control, candidate, share }], ..Targets::default() })
    }

    /// Writes lock and bundle of what is live.
    fn lock(&self) {
        self.with_registry(async |registry, _| {
            let lock = registry.lock_environment(&"prod".parse().unwrap(), "file://registry").await.unwrap();
            fs::write(self.root().join("promptops.lock"), lock.to_bytes()).unwrap();
            let bundle = self.root().join("app.bundle");
            drop(fs::remove_file(&bundle));
            registry.bundle(&lock).await.unwrap().write(&bundle).unwrap();
        });
    }

    fn with_registry<T>(&self, work: impl AsyncFnOnce(&Registry, Authority<'_>) -> T) -> T {
        self.runtime.block_on(async {
            let registry = Registry::open(self.store()).await.unwrap();
            let (policy, owners) = (Policy::default(), Owners::default());
            work(&registry, Authority { policy: &policy, owners: &owners, revision: "0123abc" }).await
        })
    }
}

fn now() -> DateTime<Utc> {
    "2026-05-01T12:00:00Z".parse().unwrap()
}

/// A wall clock that is set by hand, and what was warned of.
#[derive(Clone)]
struct World {
    millis: Arc<AtomicI64>,
    warnings: Arc<Mutex<Vec<String>>>,
}

impl World {
    fn new() -> Self {
        Self { millis: Arc::new(AtomicI64::new(now().timestamp_millis())), warnings: Arc::default() }
    }

    fn pass(&self, millis: i64) {
        self.millis.fetch_add(millis, Ordering::Relaxed);
    }

    fn warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.warnings.lock().unwrap())
    }

    /// Follows prod of a registry.
    fn settings(&self, folder: &Path, registry: &str) -> Settings {
        let (millis, heard) = (Arc::clone(&self.millis), Arc::clone(&self.warnings));
        let clock = move || DateTime::from_timestamp_millis(millis.load(Ordering::Relaxed)).unwrap();
        let mut settings = Settings::new(folder, Arc::new(clock));
        settings.warn = Arc::new(move |warning: &Warning| heard.lock().unwrap().push(warning.to_string()));
        settings.registry = Some(registry.to_owned());
        settings.follow = Some("prod".to_owned());
        settings
    }

    fn follow(&self, desk: &Desk) -> Loader {
        Loader::from_settings(&self.settings(desk.root(), "file://registry")).unwrap()
    }
}

fn version(loader: &Loader) -> u32 {
    loader.load(REPLY, None).unwrap().version()
}

/// Waits, for a while, until something is so.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_release_is_used_after_the_interval_without_a_load_waiting() {
    let (desk, world) = (Desk::new(), World::new());
    desk.live(&["support.reply@1"]);
    let loader = world.follow(&desk);
    assert_eq!(loader.release(), None, "opening makes no call");
    let first = loader.load(REPLY, None).unwrap();
    assert_eq!((first.version(), loader.release().unwrap().sequence), (1, 1));
    desk.live(&["support.reply@2"]);
    world.pass(MINUTE - 1);
    assert_eq!((version(&loader), version(&loader)), (1, 1), "nobody asks before that");
    world.pass(1);
    assert_eq!(version(&loader), 1, "the load that begins it does not wait");
    until("the release is used", || version(&loader) == 2);
    let release = loader.release().unwrap();
    assert_eq!((release.environment.as_str(), release.sequence), ("prod", 2));
    assert_eq!(release.checked.unwrap().timestamp_millis(), world.millis.load(Ordering::Relaxed));
    assert_eq!(first.render(&serde_json::Map::new()).unwrap(), "one", "what was loaded stays what it was");
    assert_eq!(loader.load(REPLY, None).unwrap().render(&serde_json::Map::new()).unwrap(), "Be kind. two");
    assert_eq!(loader.load(REPLY, None).unwrap().invocation().invocation().environment.as_deref(), Some("prod"));
    assert_eq!(world.warnings(), Vec::<String>::new());
}

#[test]
fn all_prompts_move_at_once_and_those_that_stay_are_the_same_objects() {
    let (desk, world) = (Desk::new(), World::new());
    desk.live(&["support.reply@1", "shared.tone@1"]);
    let loader = world.follow(&desk);
    let (tone, by_number) = (loader.load("shared.tone", None).unwrap(), loader.load(REPLY, Some(1)).unwrap());
    assert_eq!(version(&loader), 1);
    assert_eq!(loader.load(REPLY, Some(2)).unwrap_err().code(), "not-pinned");
    desk.live(&["support.reply@3"]);
    assert!(loader.refresh().unwrap());
    assert!(!loader.refresh().unwrap(), "there is nothing newer");
    // With the registry gone, what was loaded was loaded anew before the release was used.
    fs::rename(desk.root().join("registry"), desk.root().join("away")).unwrap();
    assert_eq!(version(&loader), 3);
    assert!(Arc::ptr_eq(&tone, &loader.load("shared.tone", None).unwrap()));
    assert!(Arc::ptr_eq(&by_number, &loader.load(REPLY, Some(1)).unwrap()), "a version that runs by its number runs on");
    fs::rename(desk.root().join("away"), desk.root().join("registry")).unwrap();

    let removals = vec![REPLY.parse().unwrap()];
    desk.deploy(&Targets { removals, ..Targets::default() });
    assert!(loader.refresh().unwrap());
    let error = loader.load(REPLY, None).unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), ("not-found", "release 3 of `prod` has no prompt `support.reply`"));
}

#[test]
fn a_release_that_cannot_be_used_is_not() {
    let (desk, world) = (Desk::new(), World::new());
    desk.live(&["support.reply@1"]);
    let loader = world.follow(&desk);
    assert_eq!(version(&loader), 1);
    desk.live(&["support.reply@3"]);
    let digest =
        desk.with_registry(async |registry, _| registry.version(&"support.reply@3".parse().unwrap()).await.unwrap().digest);
    let blob = desk.root().join("registry/blobs/sha256").join(digest.hex());
    let intact = fs::read(&blob).unwrap();
    fs::write(&blob, "other").unwrap();
    assert_eq!(loader.refresh().unwrap_err().code(), "integrity");
    assert_eq!((version(&loader), loader.release().unwrap().sequence), (1, 1));
    let warnings = world.warnings();
    assert!(
        warnings[0].starts_with("environment `prod` could not be refreshed, so release 1 is used on: `blobs/"),
        "{warnings:?}"
    );
    fs::write(&blob, intact).unwrap();
    assert!(loader.refresh().unwrap());
    assert_eq!(version(&loader), 3);

    // A registry that lost, or changed, the release that is used is not believed.
    let releases = desk.root().join("registry/environments/prod");
    let used = releases.join("00000000000000000002.json");
    let intact = fs::read_to_string(&used).unwrap();
    fs::write(&used, intact.replace("ada@example.com", "eve@example.com")).unwrap();
    assert_eq!(loader.refresh().unwrap_err().code(), "integrity");
    fs::remove_file(&used).unwrap();
    assert_eq!(loader.refresh().unwrap_err().code(), "missing");
    assert_eq!(version(&loader), 3);
    fs::write(&used, intact).unwrap();
    fs::write(releases.join("00000000000000000003.json"), "{").unwrap();
    assert_eq!(loader.refresh().unwrap_err().code(), "corrupt");
    assert_eq!(world.warnings().len(), 3, "each said once, and anew after the first outage was over");
}

#[test]
fn what_cannot_be_followed_is_said_at_once_or_at_the_first_load() {
    let (desk, world) = (Desk::new(), World::new());
    let open = |change: &dyn Fn(&mut Settings)| {
        let mut settings = world.settings(desk.root(), "file://registry");
        change(&mut settings);
        Loader::from_settings(&settings).and_then(|loader| loader.load(REPLY, None)).unwrap_err().full_message()
    };
    let nothing = open(&|_| {});
    assert!(nothing.contains("nothing was released to it in registry"), "{nothing}");
    desk.live(&["support.reply@1"]);
    desk.lock();
    let name = open(&|settings| settings.follow = Some("../prod".into()));
    assert!(name.contains("lower-case letters"), "{name}");
    let no_registry = open(&|settings| settings.registry = None);
    assert!(no_registry.contains("no registry is set"), "{no_registry}");
    let other = open(&|settings| {
        settings.lock = Some("promptops.lock".into());
        settings.follow = Some("staging".into());
    });
    assert!(other.contains("is not of a release of it"), "{other}");
}

#[test]
fn a_lock_or_a_bundle_is_where_a_start_without_a_registry_begins() {
    let (desk, world) = (Desk::new(), World::new());
    desk.live(&["support.reply@1"]);
    desk.lock();
    desk.live(&["support.reply@2"]);
    for change in [
        |settings: &mut Settings| settings.lock = Some("promptops.lock".into()),
        |settings: &mut Settings| settings.bundle = Some("app.bundle".into()),
    ] {
        let mut settings = world.settings(desk.root(), "file://registry");
        change(&mut settings);
        let is_bundle = settings.bundle.is_some();
        let loader = Loader::from_settings(&settings).unwrap();
        assert_eq!(loader.release().unwrap().sequence, 1);
        assert_eq!((version(&loader), loader.release().unwrap().sequence), (2, 2), "nobody knows how old a lock is");

        fs::rename(desk.root().join("registry"), desk.root().join("away")).unwrap();
        let loader = Loader::from_settings(&settings).unwrap();
        let loaded = loader.load(REPLY, None).map(|prompt| prompt.version()).map_err(|error| error.code());
        assert_eq!(loaded, if is_bundle { Ok(1) } else { Err("unavailable") }, "a lock without its registry has no content");
        let warnings = world.warnings();
        assert!(warnings[0].contains("so release 1 is used on"), "{warnings:?}");
        fs::rename(desk.root().join("away"), desk.root().join("registry")).unwrap();
        assert!(loader.refresh().unwrap());
        assert_eq!(version(&loader), 2);
        world.warnings();
    }
}

#[test]
fn threads_never_see_a_release_go_back() {
    let (desk, world) = (Desk::new(), World::new());
    desk.live(&["support.reply@1", "shared.tone@1"]);
    let loader = world.follow(&desk);
    assert_eq!(version(&loader), 1);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut last = 0;
                while !is_over.load(Ordering::Relaxed) {
                    loader.load(REPLY, None).unwrap();
                    let sequence = loader.release().unwrap().sequence;
                    assert!(sequence >= last, "{sequence} after {last}");
                    last = sequence;
                }
            });
        }
        for turn in 0..20 {
            desk.live(&[["support.reply@2", "support.reply@3", "support.reply@1"][turn % 3]]);
            world.pass(MINUTE);
            until("a load had it refreshed", || loader.release().unwrap().sequence == turn as u64 + 2);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert_eq!(version(&loader), 3);
}

#[test]
fn a_restart_in_an_outage_uses_the_last_good_release() {
    let (desk, world) = (Desk::new(), World::new());
    desk.live(&["support.reply@1"]);
    let s3 = S3::serve(desk.root().join("registry"));
    let mut settings = world.settings(desk.root(), "s3://bucket");
    settings.store_settings = s3.settings();
    settings.cache_dir = Some("cache".into());
    let open = || Loader::from_settings(&settings).unwrap();
    assert_eq!(version(&open()), 1);
    assert_eq!(s3.asked().iter().filter(|key| key.contains("environments/")).count(), 2, "a listing and a read");

    // Within the interval another start asks for nothing at all.
    let loader = open();
    assert_eq!((version(&loader), s3.asked()), (1, vec![]));
    desk.live(&["support.reply@2"]);
    world.pass(MINUTE);
    until("it is refreshed", || version(&loader) == 2);

    s3.set(Mode::Down);
    world.pass(30 * MINUTE);
    let loader = open();
    assert_eq!((version(&loader), loader.release().unwrap().sequence), (2, 2));
    assert!(world.warnings().iter().any(|warning| warning.contains("could not be refreshed, so release 2 is used on")));
    let begun = Instant::now();
    for _ in 0..1000 {
        assert_eq!(version(&loader), 2);
    }
    assert!(begun.elapsed() < Duration::from_secs(4), "in an outage, no load after the first waits");

    settings.refuse_stale = true;
    let error = Loader::from_settings(&settings).unwrap().load(REPLY, None).unwrap_err();
    assert_eq!(error.code(), "stale", "{error}");
    assert!(error.to_string().starts_with("environment `prod` was last seen 2026-05-01T12:01:00Z, at release 2"), "{error}");

    // A damaged note of the last release counts as none, and then there is nothing to start with.
    let notes: Vec<_> = fs::read_dir(desk.root().join("cache/environments")).unwrap().collect();
    let note = notes[0].as_ref().unwrap().path();
    fs::write(&note, "{").unwrap();
    assert_eq!(Loader::from_settings(&settings).unwrap().load(REPLY, None).unwrap_err().code(), "unavailable");
    s3.set(Mode::Up);
    assert_eq!(version(&Loader::from_settings(&settings).unwrap()), 2);
}

#[test]
fn a_thaw_is_noticed_by_the_wall_clock_and_a_registry_that_hangs_is_not_waited_for_long() {
    let (desk, world) = (Desk::new(), World::new());
    desk.live(&["support.reply@1"]);
    let s3 = S3::serve(desk.root().join("registry"));
    let mut settings = world.settings(desk.root(), "s3://bucket");
    settings.store_settings = s3.settings();
    let loader = Loader::from_settings(&settings).unwrap();
    assert_eq!(version(&loader), 1);
    desk.live(&["support.reply@2"]);
    // Frozen for an hour: to every clock of this process but the wall clock, a moment.
    world.pass(60 * MINUTE);
    assert_eq!(version(&loader), 2, "the first load after a thaw waits for what is live");

    s3.set(Mode::Hanging);
    world.pass(MINUTE);
    let begun = Instant::now();
    for _ in 0..1000 {
        assert_eq!(version(&loader), 2);
    }
    assert!(begun.elapsed() < Duration::from_millis(500), "a refresh that hangs holds up no load");
    world.pass(60 * MINUTE);
    let begun = Instant::now();
    assert_eq!(version(&loader), 2);
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_secs(4) && waited < Duration::from_secs(8), "{waited:?}");
    let begun = Instant::now();
    assert_eq!(version(&loader), 2);
    assert!(begun.elapsed() < Duration::from_millis(500), "and nobody waits for it again");
    assert!(world.warnings().iter().any(|warning| warning.contains("no answer within 5 seconds")));
}

#[test]
fn the_closure_of_an_agents_prompt_is_read_once() {
    let (desk, world) = (Desk::new(), World::new());
    // The agent includes two skills, and both include one tone.
    let skills = ["skill.refund", "skill.search"];
    for id in skills {
        desk.publish(id, 1, "{% include \"shared.tone@1\" %} do it");
    }
    desk.publish(
        "agent.desk",
        1,
        "{% include \"skill.refund@1\" %}{% include \"skill.search@1\" %}{% include \"shared.tone@1\" %}",
    );
    desk.live(&["agent.desk@1", "support.reply@1"]);
    let s3 = S3::serve(desk.root().join("registry"));
    let mut settings = world.settings(desk.root(), "s3://bucket");
    settings.store_settings = s3.settings();
    let loader = Loader::from_settings(&settings).unwrap();
    let agent = loader.load("agent.desk", None).unwrap();
    assert_eq!(agent.render(&serde_json::Map::new()).unwrap(), "Be kind. do itBe kind. do itBe kind.");
    let contents = |asked: &[String]| asked.iter().filter(|key| key.contains("/blobs/")).count();
    let asked = s3.asked();
    assert_eq!(contents(&asked), 4, "each content once: {asked:?}");
    assert_eq!(asked.iter().filter(|key| key.contains("agent.desk/0000000001.json")).count(), 1);
    for _ in 0..10 {
        assert!(Arc::ptr_eq(&agent, &loader.load("agent.desk", None).unwrap()));
        agent.render(&serde_json::Map::new()).unwrap();
    }
    assert_eq!(s3.asked(), Vec::<String>::new(), "nothing is read to load or render again");
    desk.live(&["support.reply@3"]);
    assert!(loader.refresh().unwrap());
    assert_eq!(contents(&s3.asked()), 0, "a release that does not move it does not read it");
    assert!(Arc::ptr_eq(&agent, &loader.load("agent.desk", None).unwrap()));
}

#[test]
fn a_cache_on_a_full_or_read_only_disk_is_a_warning() {
    let (desk, world) = (Desk::new(), World::new());
    desk.live(&["support.reply@1"]);
    let s3 = S3::serve(desk.root().join("registry"));
    let mut settings = world.settings(desk.root(), "s3://bucket");
    settings.store_settings = s3.settings();
    // Nothing can be created below either: a file is no folder, and /proc takes no files, whoever asks.
    fs::write(desk.root().join("file"), "").unwrap();
    for cache in ["file", "/proc/promptops"] {
        settings.cache_dir = Some(cache.into());
        assert_eq!(version(&Loader::from_settings(&settings).unwrap()), 1);
        let warnings = world.warnings();
        assert!(warnings.iter().all(|warning| warning.starts_with("the prompt cache cannot be used")), "{warnings:?}");
        assert!(!warnings.is_empty());
    }
}

#[test]
fn keys_are_divided_as_the_release_says_and_records_say_how() {
    let (desk, world) = (Desk::new(), World::new());
    desk.live(&["support.reply@2", "shared.tone@1"]);
    desk.split("support.reply@2", "3", "10");
    desk.lock();
    let mut locked = world.settings(desk.root(), "file://registry");
    locked.follow = None;
    let with_lock = Settings { lock: Some("promptops.lock".into()), ..locked.clone() };
    let with_bundle = Settings { bundle: Some("app.bundle".into()), ..locked };
    let id = REPLY.parse().unwrap();
    for settings in [world.settings(desk.root(), "file://registry"), with_lock, with_bundle] {
        let loader = Loader::from_settings(&settings).unwrap();
        assert!(loader.kept_for(REPLY, "user-1").is_none());
        let mut seen = BTreeSet::new();
        for key in (0..500).map(|number| format!("user-{number}")) {
            let prompt = loader.load_for(REPLY, &key).unwrap();
            let is_candidate = bucket(&id, "3".parse().unwrap(), &key) < 1000;
            let expected = if is_candidate { (3, Some(Arm::Candidate)) } else { (2, Some(Arm::Control)) };
            assert_eq!((prompt.version(), prompt.arm()), expected, "{key}");
            let call = prompt.invocation();
            let record = call.invocation();
            assert_eq!(record.arm.as_deref(), Some(if is_candidate { "candidate" } else { "control" }));
            assert_eq!(record.prompt_version, Some(prompt.version()));
            assert!(Arc::ptr_eq(&prompt, &loader.kept_for(REPLY, &key).unwrap()));
            seen.insert(prompt.version());
        }
        assert_eq!(seen, [2, 3].into());
        assert_eq!(world.warnings(), Vec::<String>::new());
        for unkeyed in [loader.load(REPLY, None).unwrap(), loader.load_for(REPLY, "").unwrap()] {
            assert_eq!((unkeyed.version(), unkeyed.arm()), (2, Some(Arm::Unkeyed)));
            assert_eq!(unkeyed.invocation().invocation().arm.as_deref(), Some("unkeyed"));
        }
        let warning = "a prompt under a rollout is loaded without a key, so the control is used: `support.reply`";
        assert_eq!(world.warnings(), [warning], "said once");
        for number in [2, 3] {
            assert_eq!(loader.load(REPLY, Some(number)).unwrap().arm(), None, "asked for by its number, it is on no side");
        }
        assert_eq!(loader.load(REPLY, Some(1)).unwrap_err().code(), "not-pinned");
        assert_eq!(loader.load_for("shared.tone", "user-1").unwrap().arm(), None, "a prompt that is not split");
    }
}

#[test]
fn a_rollout_begins_grows_and_ends_under_a_running_loader() {
    let (desk, world) = (Desk::new(), World::new());
    desk.live(&["support.reply@2"]);
    let loader = world.follow(&desk);
    let keys: Vec<String> = (0..400).map(|number| format!("user-{number}")).collect();
    let candidates =
        || -> BTreeSet<&String> { keys.iter().filter(|key| loader.load_for(REPLY, key).unwrap().version() == 3).collect() };
    assert_eq!(candidates().len(), 0);
    desk.split("support.reply@2", "3", "10");
    assert!(loader.refresh().unwrap());
    // Both sides were loaded before the release was used.
    fs::rename(desk.root().join("registry"), desk.root().join("away")).unwrap();
    let tenth = candidates();
    assert!((20..=60).contains(&tenth.len()), "{}", tenth.len());
    fs::rename(desk.root().join("away"), desk.root().join("registry")).unwrap();
    desk.split("support.reply@2", "3", "20");
    assert!(loader.refresh().unwrap());
    let fifth = candidates();
    assert!(tenth.is_subset(&fifth) && fifth.len() > tenth.len(), "who had it keeps it");
    desk.live(&["support.reply@3"]);
    assert!(loader.refresh().unwrap());
    assert_eq!(candidates().len(), keys.len());
    assert_eq!(loader.load_for(REPLY, "user-1").unwrap().arm(), None, "it is over");
    assert_eq!(world.warnings(), Vec::<String>::new(), "nobody loaded without a key");
}
