//! As what dashboards and alarms are written: JSON for the API, CloudFormation, Terraform.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{Monitoring, REGION};
use crate::generated_files::GeneratedFile;
use crate::lake_table::{camel, literal};

/// Resources in one template. CloudFormation takes 500.
const MAX_RESOURCES: usize = 480;
/// Bytes of one template. CloudFormation takes 1 MB from a bucket.
const MAX_BYTES: usize = 900_000;

/// Returns one file for each dashboard, as `PutDashboard` takes its body, and one with the alarms as `PutMetricAlarm` takes them.
pub fn json_files(monitoring: &Monitoring, region: &str) -> Vec<GeneratedFile> {
    let mut files: Vec<GeneratedFile> = monitoring
        .dashboards
        .iter()
        .map(|dashboard| GeneratedFile {
            path: format!("dashboards/{}.json", dashboard.name),
            text: format!("{:#}\n", dashboard.body).replace(REGION, region),
        })
        .collect();
    if !monitoring.alarms.is_empty() {
        let alarms: Vec<Value> = monitoring
            .alarms
            .iter()
            .map(|alarm| {
                let mut properties = alarm.properties.clone();
                properties["AlarmName"] = alarm.name.clone().into();
                properties
            })
            .collect();
        files.push(GeneratedFile::json("alarms.json", &alarms.into()));
    }
    files
}

/// Returns the templates: one, or several where there are many resources.
pub fn cloudformation(monitoring: &Monitoring) -> Vec<GeneratedFile> {
    let dashboards = monitoring.dashboards.iter().map(|dashboard| {
        // In the text that is filled in, a dollar sign of its own is written so.
        let body = dashboard.body.to_string().replace("${", "${!").replace(REGION, "${AWS::Region}");
        let properties = json!({"DashboardName": dashboard.name, "DashboardBody": {"Fn::Sub": body}});
        (dashboard.name.as_str(), json!({"Type": "AWS::CloudWatch::Dashboard", "Properties": properties}))
    });
    let actions = json!({"Fn::If": ["HasTopic", [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]});
    let alarms = monitoring.alarms.iter().map(|alarm| {
        let mut properties = alarm.properties.clone();
        properties["AlarmName"] = alarm.name.clone().into();
        properties["AlarmActions"] = actions.clone();
        properties["OKActions"] = actions.clone();
        (alarm.name.as_str(), json!({"Type": "AWS::CloudWatch::Alarm", "Properties": properties}))
    });
    let mut parts: Vec<Map<String, Value>> = vec![Map::new()];
    let (mut bytes, mut taken) = (0, BTreeSet::new());
    for (name, resource) in dashboards.chain(alarms) {
        let name = unique(camel(name), name, &mut taken);
        let size = resource.to_string().len() * 2;
        if bytes + size > MAX_BYTES || parts.last().is_some_and(|part| part.len() >= MAX_RESOURCES) {
            parts.push(Map::new());
            bytes = 0;
        }
        bytes += size;
        parts.last_mut().expect("there is always a part").insert(name, resource);
    }
    let single = parts.len() == 1;
    let name = |part: usize| if single { "monitoring.json".to_owned() } else { format!("monitoring-{}.json", part + 1) };
    parts.into_iter().enumerate().map(|(part, resources)| GeneratedFile::json(name(part), &template(resources))).collect()
}

fn template(resources: Map<String, Value>) -> Value {
    let has_alarms = resources.values().any(|resource| resource["Type"] == "AWS::CloudWatch::Alarm");
    let mut template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Dashboards and alarms of prompts. Written by `promptops generate cloudwatch`.",
    });
    if has_alarms {
        template["Parameters"] = json!({
            "AlarmTopic": {"Type": "String", "Default": "", "Description": "The ARN of the SNS topic that alarms are sent to; none where it is empty."},
        });
        template["Conditions"] = json!({"HasTopic": {"Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmTopic"}, ""]}]}});
    }
    template["Resources"] = resources.into();
    template
}

/// Returns a module of Terraform in its JSON form.
pub fn terraform(monitoring: &Monitoring) -> Value {
    let mut taken = BTreeSet::new();
    let dashboards: Map<String, Value> = monitoring
        .dashboards
        .iter()
        .map(|dashboard| {
            let body = literal(&dashboard.body.to_string()).replace(REGION, "${data.aws_region.current.id}");
            let name = unique(snake(&dashboard.name), &dashboard.name, &mut taken);
            (name, json!({"dashboard_name": dashboard.name, "dashboard_body": body}))
        })
        .collect();
    let alarms: Map<String, Value> = monitoring
        .alarms
        .iter()
        .map(|alarm| (unique(snake(&alarm.name), &alarm.name, &mut taken), terraform_alarm(alarm)))
        .collect();
    let mut module = json!({
        "terraform": {"required_version": ">= 1.5", "required_providers": {"aws": {"source": "hashicorp/aws", "version": ">= 5.0"}}},
    });
    let mut resources = Map::new();
    if !dashboards.is_empty() {
        module["data"] = json!({"aws_region": {"current": {}}});
        resources.insert("aws_cloudwatch_dashboard".to_owned(), dashboards.into());
    }
    if !alarms.is_empty() {
        module["variable"] = json!({
            "alarm_topics": {"type": "list(string)", "default": [], "description": "ARNs of the SNS topics that alarms are sent to."},
        });
        resources.insert("aws_cloudwatch_metric_alarm".to_owned(), alarms.into());
    }
    module["resource"] = resources.into();
    module
}

fn terraform_alarm(alarm: &super::Alarm) -> Value {
    let properties = &alarm.properties;
    let text = |value: &Value| literal(value.as_str().unwrap_or_default());
    let queries: Vec<Value> = properties["Metrics"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|query| {
            let mut written = json!({"id": query["Id"], "return_data": query["ReturnData"]});
            if query["Expression"].is_string() {
                written["expression"] = text(&query["Expression"]).into();
                written["label"] = text(&query["Label"]).into();
            } else {
                let (stat, metric) = (&query["MetricStat"], &query["MetricStat"]["Metric"]);
                let dimensions: Map<String, Value> = metric["Dimensions"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|one| (one["Name"].as_str().unwrap_or_default().to_owned(), text(&one["Value"]).into()))
                    .collect();
                written["metric"] = json!({
                    "namespace": metric["Namespace"],
                    "metric_name": metric["MetricName"],
                    "dimensions": dimensions,
                    "period": stat["Period"],
                    "stat": stat["Stat"],
                });
            }
            written
        })
        .collect();
    json!({
        "alarm_name": alarm.name,
        "alarm_description": text(&properties["AlarmDescription"]),
        "comparison_operator": properties["ComparisonOperator"],
        "threshold": properties["Threshold"],
        "evaluation_periods": properties["EvaluationPeriods"],
        "datapoints_to_alarm": properties["DatapointsToAlarm"],
        "treat_missing_data": properties["TreatMissingData"],
        "alarm_actions": "${var.alarm_topics}",
        "ok_actions": "${var.alarm_topics}",
        "metric_query": queries,
    })
}

/// Turns `promptops-prod-a.b` into `promptops_prod_a_b`, as resources of Terraform are named.
fn snake(name: &str) -> String {
    let words: Vec<&str> =
        name.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.join("_")
}

/// Returns a name of a resource, with a hash of what it stands for where another has the name already: `a.b` and `a-b` are two prompts.
fn unique(name: String, stands_for: &str, taken: &mut BTreeSet<String>) -> String {
    let name = if taken.contains(&name) { format!("{name}{}", short_hash(stands_for)) } else { name };
    taken.insert(name.clone());
    name
}

fn short_hash(text: &str) -> String {
    Sha256::digest(text).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_be_the_same_stay_two() {
        let mut taken = BTreeSet::new();
        let names = ["a.b", "a-b", "a--b"].map(|name| unique(snake(name), name, &mut taken));
        assert_eq!(names[0], "a_b");
        assert!(names[1].starts_with("a_b") && names[1] != names[2] && taken.len() == 3, "{names:?}");
    }
}
