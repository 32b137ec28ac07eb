//! Several clients as one: each model has its provider.

use futures::future::{BoxFuture, FutureExt as _};

use crate::client::{Call, ClientError, Exchange, ModelClient};

/// Sends each call to the first client that serves its model.
#[derive(Default)]
pub struct Routes {
    routes: Vec<(Vec<String>, Box<dyn ModelClient>)>,
}

impl Routes {
    /// Adds a client for the models that one of `patterns` names: one model, or all that begin alike, as `offline-*`.
    pub fn add(&mut self, patterns: &[String], client: Box<dyn ModelClient>) {
        self.routes.push((patterns.to_vec(), client));
    }
}

/// Tells whether a pattern names a model.
pub fn serves(pattern: &str, model: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => model.starts_with(beginning),
        None => pattern == model,
    }
}

impl ModelClient for Routes {
    fn send<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Exchange, ClientError>> {
        match self.routes.iter().find(|(patterns, _)| patterns.iter().any(|pattern| serves(pattern, &call.model))) {
            Some((_, client)) => client.send(call),
            None => {
                let message = format!("no `[providers.…]` of promptops.toml has `{}` among its `models`", call.model);
                std::future::ready(Err(ClientError::NotFound { message })).boxed()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;
    use crate::client::Api;

    struct Named(&'static str);

    impl ModelClient for Named {
        fn send<'a>(&'a self, _: &'a Call) -> BoxFuture<'a, Result<Exchange, ClientError>> {
            std::future::ready(Ok(Exchange::document(Api::OpenaiChat, 200, self.0, 0))).boxed()
        }
    }

    #[test]
    fn the_first_pattern_that_fits_serves() {
        let mut routes = Routes::default();
        routes.add(&["offline-large".to_owned()], Box::new(Named("one")));
        routes.add(&["none".to_owned(), "offline-*".to_owned()], Box::new(Named("all")));
        let send = |model: &str| {
            let call = Call { model: model.into(), messages: vec![], parameters: serde_json::Map::new(), tools: None };
            routes.send(&call).now_or_never().unwrap()
        };
        assert_eq!(send("offline-large").unwrap().body, "one");
        assert_eq!(send("offline-large-2").unwrap().body, "all");
        assert!(matches!(send("gpt"), Err(ClientError::NotFound { message }) if message.contains("`gpt`")));
    }
}
