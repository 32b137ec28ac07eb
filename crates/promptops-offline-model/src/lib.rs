//! An OpenAI-compatible endpoint that classifies from what the prompt says, without a network.
