# A version of a Lambda layer for each package.

locals {
  report = jsondecode(file(var.report))
  path   = "${var.directory}/${local.report.file}"
}

resource "aws_lambda_layer_version" "promptops" {
  layer_name               = var.name
  description              = "${local.report.package} ${local.report.digest}"
  filename                 = local.path
  source_code_hash         = filebase64sha256(local.path)
  compatible_architectures = [local.report.architecture]
  # An extension serves every runtime.
  compatible_runtimes = length(local.report.compatible_runtimes) > 0 ? local.report.compatible_runtimes : null
  # A function that still names an older version keeps it, and can go back to it.
  skip_destroy = true
}
