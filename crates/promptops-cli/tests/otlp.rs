//! What others send by OTLP, received by a real server: OpenTelemetry's SDKs for Python and Node, libraries that instrument
//! clients of models, and the OpenTelemetry Collector.

#![cfg(test)]
#![cfg(feature = "lake")]

mod support;

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use support::Project;

/// A process that ends with the test.
struct Running {
    child: Child,
    url: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// Starts a command that says at which address it answers.
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.split(' ').map(str::trim).find(|word| word.starts_with("http://"));
        let url = url.unwrap_or_else(|| panic!("no address in {line}")).trim_end_matches(',').to_owned();
        Self { child, url }
    }

    /// Starts a server that records.
    fn server(project: &Project) -> Self {
        Self::server_at(project, "127.0.0.1:0", &["--log", "events"])
    }

    /// Starts a server that records at an address, and adds what it logs to a file of the project.
    fn server_at(project: &Project, address: &str, more: &[&str]) -> Self {
        let mut command = project.promptops(["serve", "--trust-loopback", "--record", "--listen", address]);
        let log = File::options().create(true).append(true).open(project.path("server.log")).unwrap();
        command.args(more).stderr(log);
        Self::start(command)
    }

    fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    /// Ends it as an operator does, which brings everything into the lake.
    fn end(mut self) {
        let told = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(told.success() && self.child.wait().unwrap().success());
    }
}

/// A project with a registry.
fn served() -> Project {
    let project = Project::committed();
    let run = project.run(["registry", "init"]);
    assert_eq!(run.exit, 0, "{}", run.stderr);
    project
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/otlp").join(name)
}

/// Returns what a variable names, or says that the test is skipped.
#[expect(clippy::disallowed_methods, reason = "the task that runs the tests says where its programs are")]
fn given(variable: &str) -> Option<PathBuf> {
    let given = std::env::var_os(variable).map(PathBuf::from);
    if given.is_none() {
        println!("skipped: {variable} is not set; `cargo xtask test` sets it");
    }
    given
}

fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn python(script_name: &str) -> Option<Command> {
    let mut command = Command::new(given("PROMPTOPS_TEST_PYTHON")?);
    command.arg(script(script_name)).env("OTEL_SDK_DISABLED", "false").env("NO_PROXY", "127.0.0.1");
    Some(command)
}

fn query(project: &Project, sql: &str) -> String {
    let run = project.run(["query", "--format", "csv", sql]);
    assert_eq!(run.exit, 0, "{}", run.stderr);
    run.stdout
}

const BY_SERVICE: &str = "SELECT service, environment, count(*) AS calls, sum(input_tokens) AS input, count(DISTINCT trace_id) AS traces, \
    min(provider || ' ' || requested_model || ' ' || operation) AS what, min(prompt_id || '@' || prompt_version) AS prompt, \
    min(source) AS source, count(latency_ms) AS timed FROM invocations GROUP BY service, environment ORDER BY service";

#[test]
fn sdks_of_python_and_node_send_in_every_protocol() {
    let Some(node) = given("PROMPTOPS_TEST_OTLP_EXPORTERS") else { return };
    let project = served();
    let server = Running::server(&project);
    for (protocol, url) in [("grpc", server.address()), ("http", &server.url)] {
        let Some(mut send) = python("send.py") else { return };
        succeed(send.args([protocol, url, &format!("python-{protocol}"), "2", "50"]));
    }
    for protocol in ["grpc", "http", "proto"] {
        let mut send = Command::new("node");
        send.env("NODE_PATH", node.join("node_modules")).arg(script("send.js"));
        succeed(send.args([protocol, &server.url, &format!("node-{protocol}"), "50"]));
    }
    server.end();
    assert_snapshot!(query(&project, BY_SERVICE), @r"
    service,environment,calls,input,traces,what,prompt,source,timed
    node-grpc,,50,6225,50,openai gpt-5.2 chat,support.intent@2,send.js,50
    node-http,,50,6225,50,openai gpt-5.2 chat,support.intent@2,send.js,50
    node-proto,,50,6225,50,openai gpt-5.2 chat,support.intent@2,send.js,50
    python-grpc,test,100,12450,2,openai gpt-5.2 chat,support.intent@2,send.py,100
    python-http,test,100,12450,2,openai gpt-5.2 chat,support.intent@2,send.py,100
    ");
}

#[test]
fn instrumented_clients_are_recorded_as_the_convention_of_each_library_says() {
    let project = served();
    let server = Running::server(&project);
    let model = Running::start(project.promptops(["offline-model", "serve", "--port", "0"]));
    for library in ["openllmetry", "openinference"] {
        let Some(mut call) = python("instrumented.py") else { return };
        succeed(call.args([library, &model.url, &server.url, "offline-small-2026-01"]));
    }
    server.end();
    let told = "SELECT service, status, error_type, operation, provider, requested_model AS requested, responded_model AS responded, \
                fingerprint, input_tokens AS input, output_tokens AS output, finish_reason AS finish, source, input IS NULL AS no_content \
                FROM invocations ORDER BY service, time";
    assert_snapshot!(query(&project, told), @r"
    service,status,error_type,operation,provider,requested,responded,fingerprint,input,output,finish,source,no_content
    openinference,ok,,chat,openai,offline-small-2026-01,offline-small-2026-01,,17,5,stop,openinference.instrumentation.openai,true
    openinference,error,openai.NotFoundError,chat,openai,no-such-model,,,,,,openinference.instrumentation.openai,true
    openllmetry,ok,,chat,openai,offline-small-2026-01,offline-small-2026-01,offline-classifier-1,17,5,stop,opentelemetry.instrumentation.openai.v1,true
    openllmetry,error,NotFoundError,chat,openai,no-such-model,,,,,,opentelemetry.instrumentation.openai.v1,true
    ");
    // Both say the same parameters, each in its own way.
    let hashes =
        "SELECT count(parameters_hash) AS calls, count(DISTINCT parameters_hash) AS hashes FROM invocations WHERE status = 'ok'";
    assert_snapshot!(query(&project, hashes), @r"
    calls,hashes
    2,1
    ");
}

/// The Collector, told to relay everything it gets in both protocols, so that every span comes twice.
fn collector_configuration(grpc: u16, http: u16, server: &Running) -> String {
    let retry = "    sending_queue: {num_consumers: 4}\n    retry_on_failure: {initial_interval: 200ms, max_interval: 1s}\n";
    format!(
        "receivers:\n  otlp:\n    protocols:\n      grpc: {{endpoint: \"127.0.0.1:{grpc}\"}}\n      http: {{endpoint: \"127.0.0.1:{http}\"}}\n\
         processors:\n  batch: {{timeout: 20ms, send_batch_size: 26, send_batch_max_size: 26}}\n\
         exporters:\n  otlp_grpc:\n    endpoint: {}\n    tls: {{insecure: true}}\n{retry}  otlp_http:\n    endpoint: {}\n{retry}\
         service:\n  telemetry:\n    metrics: {{level: none}}\n  pipelines:\n    \
         traces/grpc: {{receivers: [otlp], processors: [batch], exporters: [otlp_grpc]}}\n    \
         traces/http: {{receivers: [otlp], processors: [batch], exporters: [otlp_http]}}\n    \
         logs: {{receivers: [otlp], exporters: [otlp_grpc, otlp_http]}}\n    \
         metrics: {{receivers: [otlp], exporters: [otlp_grpc, otlp_http]}}\n",
        server.address(),
        server.url
    )
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(120), "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A server that lets two requests a second in refuses most of what a Collector sends, and is killed in the middle. The Collector
/// comes back until everything is taken; it sends everything in two protocols, and what was not answered again.
#[test]
fn the_collector_comes_back_and_every_span_counts_once() {
    let Some(program) = given("PROMPTOPS_TEST_OTELCOL") else { return };
    let project = served();
    let server = Running::server_at(&project, "127.0.0.1:0", &["--rate-limit", "2"]);
    let (grpc, http) = (free_port(), free_port());
    project.write("collector.yaml", collector_configuration(grpc, http, &server));
    let mut command = Command::new(program);
    command.arg("--config").arg(project.path("collector.yaml"));
    command.stdout(Stdio::null()).stderr(File::create(project.path("collector.log")).unwrap());
    let collector = Running { child: command.spawn().unwrap(), url: format!("http://127.0.0.1:{http}") };
    let collector_log = || std::fs::read_to_string(project.path("collector.log")).unwrap();
    wait_until("the Collector does not start", || collector_log().contains("Everything is ready"));

    for (protocol, url) in [("grpc", format!("127.0.0.1:{grpc}")), ("http", collector.url.clone())] {
        let Some(mut send) = python("send.py") else { return };
        succeed(send.args([protocol, &url, "relayed", "4", "25"]));
    }
    let answered = |path: &str, status: u16| {
        let (path, status) = (format!("\"path\":\"{path}\""), format!("\"status\":{status}"));
        let log = std::fs::read_to_string(project.path("server.log")).unwrap();
        log.lines().filter(|line| line.contains(&path) && line.contains(&status)).count()
    };
    let paths = ["/v1/traces", "/opentelemetry.proto.collector.trace.v1.TraceService/Export"];
    wait_until("the Collector is not told to wait", || {
        paths.iter().all(|path| answered(path, 200) >= 1 && answered(path, 429) >= 1)
    });
    let (address, before) = (server.address().to_owned(), answered(paths[0], 200) + answered(paths[1], 200));
    // Its child is killed, and knows nothing of an end.
    drop(server);
    assert!(before < 16, "everything was taken before it was killed");
    let server = Running::server_at(&project, &address, &["--rate-limit", "2"]);
    wait_until("the Collector does not come back", || {
        let taken = paths.iter().map(|path| answered(path, 200)).sum::<usize>();
        taken >= 16 && query(&project, "SELECT count(*) AS calls FROM invocations") == "calls\n200\n"
    });
    drop(collector);
    server.end();
    assert_snapshot!(query(&project, BY_SERVICE), @r"
    service,environment,calls,input,traces,what,prompt,source,timed
    relayed,test,200,22400,8,openai gpt-5.2 chat,support.intent@2,send.py,200
    ");
}
