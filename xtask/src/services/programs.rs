//! Programs that tests run: nektos/act runs GitHub's workflows here, actionlint looks at them, gitlab-ci-local does both for
//! GitLab's pipelines, AWS's emulator runs Lambda functions, tflint looks at the Terraform modules, and the OpenTelemetry Collector relays
//! spans, which OpenTelemetry's exporters for Node send too.

use std::path::PathBuf;
use std::process::Command;

use super::{collector, install};
use crate::checkout::Checkout;
use crate::step::step;

/// Those that Go builds, each with the variable by which tests are told where it is.
const PROGRAMS: [(&str, &str, &str); 4] = [
    ("PROMPTOPS_TEST_ACT", "github.com/nektos/act", "v0.2.89"),
    ("PROMPTOPS_TEST_ACTIONLINT", "github.com/rhysd/actionlint/cmd/actionlint", "v1.7.12"),
    (
        "PROMPTOPS_TEST_LAMBDA_RIE",
        "github.com/aws/aws-lambda-runtime-interface-emulator/cmd/aws-lambda-rie",
        // A version by the commit: the proxy knows no other form of the emulator's releases.
        "v0.0.0-20261030222936-bef5c4ba774d",
    ),
    ("PROMPTOPS_TEST_TFLINT", "github.com/terraform-linters/tflint", "v0.64.0"),
];

/// The one of npm: its script, which Node runs. Later versions need a later Node than 20.
const GITLAB_CI: (&str, &str, &str) = ("PROMPTOPS_TEST_GITLAB_CI", "gitlab-ci-local", "4.70.1");

/// OpenTelemetry's exporters for Node, in one folder. The name changes with the versions.
const EXPORTERS: (&str, &str, [&str; 5]) = (
    "PROMPTOPS_TEST_OTLP_EXPORTERS",
    "otlp-exporters-0.301.0",
    [
        "@opentelemetry/api@1.10.0",
        "@opentelemetry/sdk-trace@3.1.0",
        "@opentelemetry/exporter-trace-otlp-grpc@0.301.0",
        "@opentelemetry/exporter-trace-otlp-http@0.301.0",
        "@opentelemetry/exporter-trace-otlp-proto@0.301.0",
    ],
);

/// Programs that are there.
#[derive(Default)]
pub(crate) struct Programs {
    found: Vec<(&'static str, PathBuf)>,
    /// Those that could not be had, and why.
    pub(crate) missing: Vec<String>,
}

impl Programs {
    /// Builds those that were not built before; the others are in [`Programs::missing`].
    pub(crate) fn install(checkout: &Checkout) -> Self {
        let mut programs = Self::default();
        for (variable, module, version) in PROGRAMS {
            let name = module.rsplit('/').next().unwrap_or(module);
            match step(&format!("{name} {version}"), || install::go_program(checkout, module, version)) {
                Some(program) => programs.found.push((variable, program)),
                None => programs.missing.push(format!("{name}: see above; its tests are skipped")),
            }
        }
        match step("OpenTelemetry Collector", || collector::program(checkout)) {
            Some(program) => programs.found.push((collector::VARIABLE, program)),
            None => programs.missing.push("OpenTelemetry Collector: see above; its tests are skipped".to_owned()),
        }
        let (variable, package, version) = GITLAB_CI;
        match step(&format!("{package} {version}"), || install::npm_package(checkout, package, version)) {
            Some(folder) => programs.found.push((variable, folder.join("dist/index.js"))),
            None => programs.missing.push(format!("{package}: see above; its tests are skipped")),
        }
        match step("prometheus of Debian", || install::debian_package(checkout, "prometheus")) {
            Some(folder) => {
                programs.found.push(("PROMPTOPS_TEST_PROMETHEUS", folder.join("usr/bin/prometheus")));
                programs.found.push(("PROMPTOPS_TEST_PROMTOOL", folder.join("usr/bin/promtool")));
            }
            None => programs.missing.push("prometheus: see above; its tests are skipped".to_owned()),
        }
        match step("Grafana's schema of dashboards", || install::own_go_program(checkout, "tests/grafana", "grafana-schema")) {
            Some(program) => programs.found.push(("PROMPTOPS_TEST_GRAFANA_SCHEMA", program)),
            None => programs.missing.push("Grafana's schema: see above; its tests are skipped".to_owned()),
        }
        let (variable, name, packages) = EXPORTERS;
        match step(name, || install::npm_packages(checkout, name, &packages)) {
            Some(folder) => programs.found.push((variable, folder)),
            None => programs.missing.push(format!("{name}: see above; its tests are skipped")),
        }
        programs
    }

    /// Tells a test runner where they are; tests that need one are skipped without this.
    pub(crate) fn announce(&self, runner: &mut Command) {
        for (variable, program) in &self.found {
            runner.env(variable, program);
        }
    }
}
