output "url" {
  description = "The URL of the registry, for `registry.url` in promptops.toml."
  value       = "s3://${aws_s3_bucket.registry.id}/${var.prefix}"
}

output "arn" {
  description = "The ARN of the bucket."
  value       = aws_s3_bucket.registry.arn
}
