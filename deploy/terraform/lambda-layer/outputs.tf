output "arn" {
  description = "The ARN of the version, for the `layers` of a function."
  value       = aws_lambda_layer_version.promptops.arn
}
