//! The run of a pipeline that this process belongs to, as the pipelines' own documented variables tell it.

use std::collections::BTreeMap;

/// Returns the URL of the run, or the name that its system gives it; nothing outside a pipeline.
pub fn ci_run(environment: &BTreeMap<String, String>) -> Option<String> {
    let variable = |name: &str| environment.get(name).map(String::as_str).filter(|value| !value.is_empty());
    if let (Some(server), Some(repository), Some(run)) =
        (variable("GITHUB_SERVER_URL"), variable("GITHUB_REPOSITORY"), variable("GITHUB_RUN_ID"))
    {
        let attempt = variable("GITHUB_RUN_ATTEMPT").map_or_else(String::new, |attempt| format!("/attempts/{attempt}"));
        return Some(format!("{server}/{repository}/actions/runs/{run}{attempt}"));
    }
    if let (Some(collection), Some(project), Some(build)) =
        (variable("SYSTEM_COLLECTIONURI"), variable("SYSTEM_TEAMPROJECT"), variable("BUILD_BUILDID"))
    {
        return Some(format!("{collection}{project}/_build/results?buildId={build}"));
    }
    // GitLab, CircleCI, Buildkite, Jenkins, AWS CodeBuild.
    ["CI_JOB_URL", "CIRCLE_BUILD_URL", "BUILDKITE_BUILD_URL", "BUILD_URL", "CODEBUILD_BUILD_ARN"]
        .into_iter()
        .find_map(|name| variable(name).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(variables: &[(&str, &str)]) -> Option<String> {
        ci_run(&variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn each_system_names_its_run() {
        let github = [("GITHUB_SERVER_URL", "https://github.com"), ("GITHUB_REPOSITORY", "acme/prompts"), ("GITHUB_RUN_ID", "7")];
        assert_eq!(run(&github).unwrap(), "https://github.com/acme/prompts/actions/runs/7");
        let again: Vec<_> = github.into_iter().chain([("GITHUB_RUN_ATTEMPT", "2")]).collect();
        assert_eq!(run(&again).unwrap(), "https://github.com/acme/prompts/actions/runs/7/attempts/2");
        let azure =
            [("SYSTEM_COLLECTIONURI", "https://dev.azure.com/acme/"), ("SYSTEM_TEAMPROJECT", "prompts"), ("BUILD_BUILDID", "9")];
        assert_eq!(run(&azure).unwrap(), "https://dev.azure.com/acme/prompts/_build/results?buildId=9");
        assert_eq!(
            run(&[("CI_JOB_URL", "https://gitlab.com/acme/prompts/-/jobs/3")]).unwrap(),
            "https://gitlab.com/acme/prompts/-/jobs/3"
        );
    }

    #[test]
    fn outside_a_pipeline_there_is_none() {
        assert_eq!(run(&[]), None);
        assert_eq!(run(&[("CI", "true"), ("CI_JOB_URL", ""), ("GITHUB_RUN_ID", "7")]), None);
    }
}
