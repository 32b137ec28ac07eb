# A bucket for a registry. Whoever writes there, an object is created once and stays.

locals {
  objects = "${aws_s3_bucket.registry.arn}/${var.prefix}/*"
}

resource "aws_s3_bucket" "registry" {
  bucket = var.name
}

resource "aws_s3_bucket_versioning" "registry" {
  bucket = aws_s3_bucket.registry.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_ownership_controls" "registry" {
  bucket = aws_s3_bucket.registry.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "registry" {
  bucket                  = aws_s3_bucket.registry.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

data "aws_iam_policy_document" "registry" {
  # Parts of a multipart upload create no object, and take no condition: only calls that create one must have it.
  statement {
    sid       = "CreateOnly"
    effect    = "Deny"
    actions   = ["s3:PutObject"]
    resources = [local.objects]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Null"
      variable = "s3:if-none-match"
      values   = ["true"]
    }
    condition {
      test     = "Bool"
      variable = "s3:ObjectCreationOperation"
      values   = ["true"]
    }
  }

  statement {
    sid       = "DeleteNothing"
    effect    = "Deny"
    actions   = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
    resources = [local.objects]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
  }

  statement {
    sid       = "EncryptedConnectionsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.registry.arn, "${aws_s3_bucket.registry.arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  dynamic "statement" {
    for_each = length(var.publishers) > 0 ? [var.publishers] : []
    content {
      sid       = "Publish"
      actions   = ["s3:PutObject"]
      resources = [local.objects]
      principals {
        type        = "AWS"
        identifiers = statement.value
      }
    }
  }

  dynamic "statement" {
    for_each = length(concat(var.publishers, var.readers)) > 0 ? [concat(var.publishers, var.readers)] : []
    content {
      sid       = "Read"
      actions   = ["s3:GetObject"]
      resources = [local.objects]
      principals {
        type        = "AWS"
        identifiers = statement.value
      }
    }
  }

  dynamic "statement" {
    for_each = length(concat(var.publishers, var.readers)) > 0 ? [concat(var.publishers, var.readers)] : []
    content {
      sid       = "List"
      actions   = ["s3:ListBucket"]
      resources = [aws_s3_bucket.registry.arn]
      principals {
        type        = "AWS"
        identifiers = statement.value
      }
      condition {
        test     = "StringLike"
        variable = "s3:prefix"
        values   = ["${var.prefix}/*"]
      }
    }
  }
}

resource "aws_s3_bucket_policy" "registry" {
  bucket = aws_s3_bucket.registry.id
  policy = data.aws_iam_policy_document.registry.json

  depends_on = [aws_s3_bucket_public_access_block.registry]
}
