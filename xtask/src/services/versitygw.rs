//! versitygw: a real S3 server over a folder. It checks signatures; the keys are `test` and `test`.

use anyhow::{Context, Result};

use super::{BUCKET, Launch, Service, folder, install};
use crate::checkout::Checkout;
use crate::python::{Python, remove_folder};

const MODULE: &str = "github.com/versity/versitygw/cmd/versitygw";
const VERSION: &str = "v1.8.0";

pub(super) const SERVICE: Service = Service { name: "versitygw", variable: "PROMPTOPS_TEST_VERSITYGW_ENDPOINT", prepare };

fn prepare(checkout: &Checkout, _: Option<&Python>, port: u16) -> Result<Launch> {
    let program = install::go_program(checkout, MODULE, VERSION)?;
    let data = folder(checkout).join(format!("versitygw-{port}"));
    remove_folder(&data)?;
    // A folder in the root is a bucket.
    std::fs::create_dir_all(data.join(BUCKET)).with_context(|| format!("cannot make `{}`", data.display()))?;
    let mut command = checkout.command(program);
    command.env("ROOT_ACCESS_KEY", "test").env("ROOT_SECRET_KEY", "test");
    command.args(["--port", &format!("127.0.0.1:{port}"), "--region", "us-east-1", "--quiet", "--keep-alive", "posix"]);
    command.arg(&data);
    Ok(Launch { command, data: Some(data) })
}
