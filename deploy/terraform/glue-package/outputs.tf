output "default_arguments" {
  description = "What to merge into the `default_arguments` of the job."
  value       = local.arguments[local.report.package]
}

output "url" {
  description = "Where the package is."
  value       = local.url
}
