//! The extension as Lambda starts it. Without Lambda's environment it only serves, for a function that is tried out elsewhere.
#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a binary: it prints, and reads its own path and environment"
)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use promptops::{Loader, settings_from_env_beside};
use promptops_lambda_extension::extensions_api::{ApiError, Event, Registration};
use promptops_lambda_extension::server::{DEFAULT_PORT, open, serve};

/// Why the extension ends.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("cannot start")]
    Start(#[from] std::io::Error),
    #[error("PROMPTOPS_EXTENSION_PORT is no port: `{0}`")]
    Port(String),
    #[error("cannot listen on port {0}, which PROMPTOPS_EXTENSION_PORT changes: {1}")]
    Listen(u16, std::io::Error),
    #[error("{0}")]
    Prompts(String),
    #[error(transparent)]
    Api(#[from] ApiError),
}

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("promptops extension: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let program = std::env::current_exe()?;
    match std::env::var("AWS_LAMBDA_RUNTIME_API") {
        Ok(address) if !address.is_empty() => runtime.block_on(run_in_lambda(&address, &program)),
        _ => runtime.block_on(async {
            let (listener, loader) = prepare(&program).await?;
            println!("prompts at http://{}/v1/prompts/", listener.local_addr()?);
            serve(listener, loader).await;
            Ok(())
        }),
    }
}

/// Serves until Lambda says that the environment ends.
async fn run_in_lambda(address: &str, program: &Path) -> Result<(), Failure> {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    // The port is open before Lambda hears of the extension, and Lambda waits for that before it starts the function.
    let prepared = prepare(program).await;
    let registration = Registration::register(address, &name).await?;
    let (listener, loader) = match prepared {
        Ok(prepared) => prepared,
        Err(failure) => {
            registration.fail("Extension.PromptOpsStart", &failure.to_string()).await?;
            return Err(failure);
        }
    };
    tokio::spawn(serve(listener, loader));
    while registration.next().await? == Event::Invoke {}
    Ok(())
}

/// Opens the prompts, which lie in `promptops` beside the folder of extensions unless the environment names others, and the port.
async fn prepare(program: &Path) -> Result<(tokio::net::TcpListener, Arc<Loader>), Failure> {
    let folder = program.parent().and_then(Path::parent).map(|root| root.join("promptops"));
    let folder: Option<PathBuf> = folder.filter(|folder| folder.is_dir());
    let opened = tokio::task::spawn_blocking(move || Loader::from_settings(&settings_from_env_beside(folder.as_deref()))).await;
    let loader = match opened {
        Ok(Ok(loader)) => loader,
        Ok(Err(error)) => {
            let hint = error.hint().map_or_else(String::new, |hint| format!("; {hint}"));
            return Err(Failure::Prompts(format!("{}{hint}", error.full_message())));
        }
        Err(error) => return Err(Failure::Prompts(error.to_string())),
    };
    let port = match std::env::var("PROMPTOPS_EXTENSION_PORT") {
        Ok(port) if !port.is_empty() => port.parse().map_err(|_| Failure::Port(port))?,
        _ => DEFAULT_PORT,
    };
    let listener = open(port).await.map_err(|error| Failure::Listen(port, error))?;
    Ok((listener, Arc::new(loader)))
}
