variable "report" {
  description = "What `promptops package glue-zip --json`, or `glue-wheels --json`, printed: a file."
  type        = string
}

variable "directory" {
  description = "The folder where `promptops package` ran; the path of the ZIP in the report starts there."
  type        = string
  default     = "."
}

variable "bucket" {
  description = "The bucket that the job reads packages from."
  type        = string
}

variable "prefix" {
  description = "The folder in the bucket, without slashes at its ends."
  type        = string
  default     = "promptops"
}
