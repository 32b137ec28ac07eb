variable "report" {
  description = "What `promptops package lambda-layer --json`, or `lambda-extension --json`, printed: a file."
  type        = string
}

variable "directory" {
  description = "The folder where `promptops package` ran; the path of the ZIP in the report starts there."
  type        = string
  default     = "."
}

variable "name" {
  description = "The name of the layer."
  type        = string
  default     = "promptops"
}
