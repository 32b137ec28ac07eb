variable "name" {
  description = "The name of the bucket."
  type        = string
}

variable "prefix" {
  description = "The folder of the registry in the bucket, without slashes at its ends."
  type        = string
  default     = "registry"

  validation {
    condition     = can(regex("^[^/].*[^/]$|^[^/]$", var.prefix))
    error_message = "The prefix is not empty and neither begins nor ends with a slash."
  }
}

variable "publishers" {
  description = "ARNs of the roles that publish and deploy: they read the registry and add to it."
  type        = list(string)
  default     = []
}

variable "readers" {
  description = "ARNs of the roles that load prompts."
  type        = list(string)
  default     = []
}
