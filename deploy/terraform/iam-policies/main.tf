# The least that each piece needs, as policies to attach to roles: the files of deploy/iam.

resource "aws_iam_policy" "least" {
  for_each = toset(var.policies)

  name        = "${var.prefix}-${each.key}"
  description = "PromptOps: ${each.key}"
  policy      = templatefile("${path.module}/../../iam/${each.key}.json", var.values)
}
