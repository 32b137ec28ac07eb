# A package in a bucket, under its digest, and the arguments with which a Glue job takes it.

locals {
  report = jsondecode(file(var.report))
  path   = "${var.directory}/${local.report.file}"
  url    = "s3://${aws_s3_object.package.bucket}/${aws_s3_object.package.key}"
  arguments = {
    "glue-zip" = {
      "--extra-py-files" = local.url
    }
    "glue-wheels" = {
      "--additional-python-modules"       = local.url
      "--python-modules-installer-option" = "--no-index"
    }
  }
}

resource "aws_s3_object" "package" {
  bucket = var.bucket
  # A job that runs keeps the package that it was started with.
  key         = "${var.prefix}/${substr(local.report.digest, 7, 12)}/${basename(local.report.file)}"
  source      = local.path
  source_hash = local.report.digest
}
