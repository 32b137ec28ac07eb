output "arns" {
  description = "The ARN of each policy, by its name."
  value       = { for name, policy in aws_iam_policy.least : name => policy.arn }
}
