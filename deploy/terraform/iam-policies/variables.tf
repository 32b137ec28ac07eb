variable "policies" {
  description = "Which policies, by the names of the files without .json, such as write-lake."
  type        = list(string)
}

variable "values" {
  description = "What stands for the placeholders of those files, such as lake_bucket, region and account."
  type        = map(string)
}

variable "prefix" {
  description = "What the names of the policies begin with."
  type        = string
  default     = "promptops"
}
