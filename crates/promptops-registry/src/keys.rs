//! API keys: who may do what through a server.
//!
//! A key is an object that never changes, and its revocation another. The secret is not stored, only its SHA-256: it has
//! 256 bits from the operating system's source of randomness, so that guessing it is hopeless however fast the hash is. A
//! slow hash (argon2, bcrypt) protects what people choose, and would cost every request what it costs an attacker.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use promptops_prompt::{Digest, PromptId};
use promptops_store::{Created, StoreError};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::audit::{Act, AuditAction};
use crate::environment::EnvironmentName;
use crate::error::{RegistryError, Result};
use crate::layout::{KEYS, Key};
use crate::record::{FORMAT, Published, from_bytes, to_bytes};
use crate::registry::Registry;

/// Bytes of an id.
const ID_BYTES: usize = 8;
/// Bytes of a secret.
const SECRET_BYTES: usize = 32;
/// Longest name or actor, in bytes.
const MAX_TEXT_BYTES: usize = 200;

/// Random bytes that a new key is made of.
pub const KEY_ENTROPY_BYTES: usize = ID_BYTES + SECRET_BYTES;

/// The id of a key: 16 hexadecimal digits, which are no secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

impl FromStr for KeyId {
    type Err = RegistryError;

    fn from_str(text: &str) -> Result<Self> {
        if text.len() == 2 * ID_BYTES && text.bytes().all(is_lower_hex) {
            return Ok(Self(text.to_owned()));
        }
        Err(RegistryError::KeyRequest(format!("the id of a key is 16 lower-case hexadecimal digits; got `{text}`")))
    }
}

impl TryFrom<String> for KeyId {
    type Error = RegistryError;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// What a key may do besides reading, which every key may. Written `read`, `publish`, `publish:<id or prefix>`, `deploy`,
/// `deploy:<environment>`, `agent:<environment>`, `evidence`, `approve`, `record`, `admin`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// Nothing besides.
    Read,
    /// Publish versions of prompts whose id is this or begins with it and a `.`; of every prompt without one.
    Publish(Option<PromptId>),
    /// Deploy to this environment and roll it back; to every environment without one.
    Deploy(Option<EnvironmentName>),
    /// Use the prompts of this environment as an agent, and report what came of it. A key with no other scope does not read the
    /// registry.
    Agent(EnvironmentName),
    /// Store evidence.
    Evidence,
    /// Store approvals, which count by their own signature.
    Approve,
    /// Record invocations.
    Record,
    /// Everything.
    Admin,
}

impl Scope {
    /// Tells whether this covers publishing versions of a prompt.
    pub fn covers_publish(&self, id: &PromptId) -> bool {
        let id = id.as_str();
        match self {
            Self::Admin | Self::Publish(None) => true,
            Self::Publish(Some(prefix)) => {
                id.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            }
            _ => false,
        }
    }

    /// Tells whether this covers releases of an environment.
    pub fn covers_deploy(&self, environment: &EnvironmentName) -> bool {
        match self {
            Self::Admin | Self::Deploy(None) => true,
            Self::Deploy(Some(name)) => name == environment,
            _ => false,
        }
    }

    /// Tells whether this covers storing evidence.
    pub fn covers_evidence(&self) -> bool {
        matches!(self, Self::Admin | Self::Evidence)
    }

    /// Tells whether this covers recording invocations.
    pub fn covers_record(&self) -> bool {
        matches!(self, Self::Admin | Self::Record)
    }

    /// Tells whether this covers storing approvals.
    pub fn covers_approve(&self) -> bool {
        matches!(self, Self::Admin | Self::Approve)
    }
}

impl FromStr for Scope {
    type Err = RegistryError;

    fn from_str(text: &str) -> Result<Self> {
        let unknown = || {
            let known = "read, publish, publish:<id or prefix>, deploy, deploy:<environment>, agent:<environment>, evidence, approve, record, admin";
            RegistryError::KeyRequest(format!("a scope is one of {known}; got `{text}`"))
        };
        Ok(match text.split_once(':') {
            None => match text {
                "read" => Self::Read,
                "publish" => Self::Publish(None),
                "deploy" => Self::Deploy(None),
                "evidence" => Self::Evidence,
                "approve" => Self::Approve,
                "record" => Self::Record,
                "admin" => Self::Admin,
                _ => return Err(unknown()),
            },
            Some(("publish", prefix)) => Self::Publish(Some(prefix.parse().map_err(|_| unknown())?)),
            Some(("deploy", name)) => Self::Deploy(Some(name.parse().map_err(|_| unknown())?)),
            Some(("agent", name)) => Self::Agent(name.parse().map_err(|_| unknown())?),
            Some(_) => return Err(unknown()),
        })
    }
}

impl TryFrom<String> for Scope {
    type Error = RegistryError;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read => write!(out, "read"),
            Self::Publish(None) => write!(out, "publish"),
            Self::Publish(Some(prefix)) => write!(out, "publish:{prefix}"),
            Self::Deploy(None) => write!(out, "deploy"),
            Self::Deploy(Some(name)) => write!(out, "deploy:{name}"),
            Self::Agent(name) => write!(out, "agent:{name}"),
            Self::Evidence => write!(out, "evidence"),
            Self::Approve => write!(out, "approve"),
            Self::Record => write!(out, "record"),
            Self::Admin => write!(out, "admin"),
        }
    }
}

/// A key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// [`FORMAT`].
    pub format: u32,
    /// Its id.
    pub id: KeyId,
    /// What it is called, as `ci of acme/prompts`.
    pub name: String,
    /// Who acts in the records of what is done with it.
    pub actor: String,
    /// The SHA-256 of its secret.
    pub secret: Digest,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When and by whom it was made.
    pub created: Published,
    /// From when on it does not count any more, UTC.
    pub expires: DateTime<Utc>,
}

impl ApiKey {
    /// Returns the environment whose prompts the key's holder uses as an agent, if its scopes name one.
    pub fn agent_environment(&self) -> Option<&EnvironmentName> {
        self.scopes.iter().find_map(|scope| match scope {
            Scope::Agent(name) => Some(name),
            _ => None,
        })
    }

    /// Tells whether the key is for an agent and nothing else, so that it does not read the registry.
    pub fn is_for_agents_only(&self) -> bool {
        !self.scopes.is_empty() && self.scopes.iter().all(|scope| matches!(scope, Scope::Agent(_)))
    }

    /// Tells whether a token is this key's. Takes as long for every secret.
    pub fn matches(&self, token: &Token) -> bool {
        self.id == token.id && bool::from(self.secret.bytes().ct_eq(Digest::of(token.secret.as_bytes()).bytes()))
    }
}

/// The revocation of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// [`FORMAT`].
    pub format: u32,
    /// The key.
    pub id: KeyId,
    /// When and by whom it was revoked.
    pub revoked: Published,
    /// Why, in the words of who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What is asked for as a key.
#[derive(Debug, Clone)]
pub struct KeyRequest<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Who acts in the records of what is done with it.
    pub actor: &'a str,
    /// What it may do.
    pub scopes: &'a [Scope],
    /// From when on it does not count any more.
    pub expires: DateTime<Utc>,
}

/// What whoever has a key sends: `pk_<id>_<secret>`. It is shown once, when the key is made.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    id: KeyId,
    secret: String,
}

impl Token {
    /// Makes a token of random bytes.
    pub fn new(entropy: &[u8; KEY_ENTROPY_BYTES]) -> Self {
        let hex: String = entropy.iter().map(|byte| format!("{byte:02x}")).collect();
        let (id, secret) = hex.split_at(2 * ID_BYTES);
        Self { id: KeyId(id.to_owned()), secret: secret.to_owned() }
    }

    /// Reads a token; nothing when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix("pk_")?.split_once('_')?;
        let is_secret = secret.len() == 2 * SECRET_BYTES && secret.bytes().all(is_lower_hex);
        is_secret.then_some(Self { id: id.parse().ok()?, secret: secret.to_owned() })
    }

    /// Returns the id of the key.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// Returns the whole token, secret included.
    pub fn reveal(&self) -> String {
        format!("pk_{}_{}", self.id, self.secret)
    }
}

/// Without the secret.
impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Token(pk_{}_…)", self.id)
    }
}

fn is_lower_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

impl Registry {
    /// Makes a key and returns it with the token, which cannot be had again. `entropy` comes from the operating system.
    ///
    /// # Errors
    /// [`RegistryError::KeyRequest`] when it would be of no use; [`RegistryError::NotThroughServer`].
    pub async fn create_key(
        &self,
        request: &KeyRequest<'_>,
        entropy: &[u8; KEY_ENTROPY_BYTES],
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<(ApiKey, Token)> {
        self.must_be_direct("making an API key")?;
        check(request, now)?;
        let token = Token::new(entropy);
        let mut scopes = request.scopes.to_vec();
        scopes.sort();
        scopes.dedup();
        let key = ApiKey {
            format: FORMAT,
            id: token.id.clone(),
            name: request.name.to_owned(),
            actor: request.actor.to_owned(),
            secret: Digest::of(token.secret.as_bytes()),
            scopes,
            created: Published { time: now, by: actor.to_owned() },
            expires: request.expires,
        };
        let bytes = to_bytes(&key);
        self.store.create(&Key::ApiKey(key.id.clone()).to_string(), bytes).await?;
        self.log.append([key_act(&key)]).await?;
        Ok((key, token))
    }

    /// Revokes a key. Revoking it again is no error; the first revocation stands.
    ///
    /// # Errors
    /// [`RegistryError::KeyNotFound`]; [`RegistryError::NotThroughServer`].
    pub async fn revoke_key(&self, id: &KeyId, reason: Option<&str>, actor: &str, now: DateTime<Utc>) -> Result<Revocation> {
        self.must_be_direct("revoking an API key")?;
        let key = self.key(id).await?.ok_or_else(|| RegistryError::KeyNotFound { id: id.clone() })?;
        let mut revocation = Revocation {
            format: FORMAT,
            id: id.clone(),
            revoked: Published { time: now, by: actor.to_owned() },
            reason: reason.map(str::to_owned),
        };
        let object = Key::Revocation(id.clone());
        match self.store.create(&object.to_string(), to_bytes(&revocation)).await {
            Ok(Created::New) => self.log.append([revoke_act(&revocation)]).await?,
            Ok(Created::Same) => self.log.complete([revoke_act(&revocation)], actor).await?,
            Err(StoreError::Conflict { .. }) => {
                (revocation, _) = self.must_read(&object).await?;
                self.log.complete([revoke_act(&revocation)], actor).await?;
            }
            Err(error) => return Err(error.into()),
        }
        // The key goes first: until it is revoked it counts, whatever the log says.
        self.log.complete([key_act(&key)], actor).await?;
        Ok(revocation)
    }

    /// Returns a key, revoked or not; nothing when there is none. One call.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] when it is unreadable or another's.
    pub async fn key(&self, id: &KeyId) -> Result<Option<ApiKey>> {
        let object = Key::ApiKey(id.clone());
        match self.read::<ApiKey>(&object).await? {
            Some((key, _)) if key.id == *id => Ok(Some(key)),
            Some((key, _)) => {
                let reason = format!("the object is the API key `{}`", key.id);
                Err(RegistryError::Corrupt { key: object.to_string(), reason })
            }
            None => Ok(None),
        }
    }

    /// Returns the revocation of a key; nothing while it was not revoked. One call.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] when it is unreadable.
    pub async fn revocation(&self, id: &KeyId) -> Result<Option<Revocation>> {
        Ok(self.read(&Key::Revocation(id.clone())).await?.map(|(revocation, _)| revocation))
    }

    /// Returns every key with its revocation, oldest first. One listing and up to two calls for each.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] when one is unreadable.
    pub async fn keys(&self) -> Result<Vec<(ApiKey, Option<Revocation>)>> {
        let (mut keys, mut revocations) = (Vec::new(), BTreeMap::new());
        for text in self.store.list(KEYS).await? {
            let Some(object) = Key::parse(&text) else { continue };
            let bytes = self.store.get(&text).await?;
            match (&object, bytes) {
                (Key::ApiKey(_), Some(bytes)) => keys.push(from_bytes::<ApiKey>(&object, &bytes)?),
                (Key::Revocation(id), Some(bytes)) => {
                    revocations.insert(id.clone(), from_bytes::<Revocation>(&object, &bytes)?);
                }
                _ => {}
            }
        }
        keys.sort_by_key(|key| (key.created.time, key.id.clone()));
        Ok(keys.into_iter().map(|key| (revocations.remove(&key.id), key)).map(|(revocation, key)| (key, revocation)).collect())
    }
}

fn check(request: &KeyRequest<'_>, now: DateTime<Utc>) -> Result<()> {
    let fail = |reason: String| Err(RegistryError::KeyRequest(reason));
    if request.scopes.iter().filter(|scope| matches!(scope, Scope::Agent(_))).count() > 1 {
        return fail("a key has one `agent` scope at most: it says whose prompts its holder sees".to_owned());
    }
    for (what, text) in [("name", request.name), ("actor", request.actor)] {
        if text.trim().is_empty() || text.len() > MAX_TEXT_BYTES || text.chars().any(char::is_control) {
            return fail(format!("its {what} is empty, longer than {MAX_TEXT_BYTES} bytes, or has control characters"));
        }
    }
    if request.scopes.is_empty() {
        return fail("it has no scope".to_owned());
    }
    if request.expires <= now {
        return fail("it would have expired already".to_owned());
    }
    Ok(())
}

fn key_act(key: &ApiKey) -> Act {
    let scopes: Vec<String> = key.scopes.iter().map(ToString::to_string).collect();
    Act {
        time: key.created.time,
        actor: key.created.by.clone(),
        action: AuditAction::Key,
        subject: Key::ApiKey(key.id.clone()),
        digest: Digest::of(&to_bytes(key)),
        details: BTreeMap::from([
            ("name".to_owned(), key.name.clone()),
            ("acts_as".to_owned(), key.actor.clone()),
            ("scopes".to_owned(), scopes.join(" ")),
            ("expires".to_owned(), key.expires.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)),
        ]),
    }
}

fn revoke_act(revocation: &Revocation) -> Act {
    let reason = revocation.reason.iter().map(|reason| ("reason".to_owned(), reason.clone()));
    Act {
        time: revocation.revoked.time,
        actor: revocation.revoked.by.clone(),
        action: AuditAction::Revoke,
        subject: Key::Revocation(revocation.id.clone()),
        digest: Digest::of(&to_bytes(revocation)),
        details: reason.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_is_written_and_shows_no_secret() {
        let token = Token::new(&std::array::from_fn(|index| u8::try_from(index).unwrap()));
        let text = token.reveal();
        assert_eq!(&text[..23], "pk_0001020304050607_080");
        assert_eq!(Token::parse(&text), Some(token.clone()));
        assert_eq!(format!("{token:?}"), "Token(pk_0001020304050607_…)");
        let no_secret = &text[..text.len() - 1];
        let long = format!("{text}0");
        for bad in ["", "pk_", "pk_0001020304050607", no_secret, &long, &text.to_uppercase(), &text[3..]] {
            assert_eq!(Token::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn scopes_cover_what_they_name_and_nothing_else() {
        let scope = |text: &str| text.parse::<Scope>().unwrap();
        let id = |text: &str| text.parse::<PromptId>().unwrap();
        let environment = |text: &str| text.parse::<EnvironmentName>().unwrap();
        for text in ["read", "publish", "publish:a.b", "deploy", "deploy:prod", "agent:prod", "evidence", "approve", "admin"] {
            assert_eq!(scope(text).to_string(), text);
        }
        for (text, covered) in [("publish:a.b", true), ("publish", true), ("admin", true), ("read", false), ("deploy", false)] {
            assert_eq!(scope(text).covers_publish(&id("a.b.c")), covered, "{text}");
        }
        assert!(scope("publish:a.b").covers_publish(&id("a.b")) && !scope("publish:a.b").covers_publish(&id("a.bc")));
        assert!(scope("deploy:prod").covers_deploy(&environment("prod")));
        assert!(!scope("deploy:prod").covers_deploy(&environment("prod-eu")));
        assert!(scope("admin").covers_evidence() && scope("admin").covers_approve() && !scope("publish").covers_evidence());
        for bad in ["", "write", "publish:", "publish:A", "deploy:Prod", "agent", "agent:", "read:a", "admin:all"] {
            assert!(bad.parse::<Scope>().is_err(), "{bad}");
        }
    }
}
