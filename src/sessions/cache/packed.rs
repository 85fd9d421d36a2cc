//! A session with its user, packed: there are as many copies as there is room for, and a session that lies in twenty places
//! takes twice the room, and longer to fetch than everything else that a check does.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::{
    Device, DeviceType, ExtraClaims, Metadata, Opener, Place, Scope, Session, SessionId, SignedIn, Touch, User, UserId,
    Whereabouts,
};

/// Between two texts, and in place of one that is not there. No text of a session has either: control characters are refused
/// when it is opened, and JSON has none but white space.
const SEPARATOR: char = '\0';
const NONE: &str = "\u{1}";

/// An active session with its user, without its id.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    created_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    absolute_expires_at: DateTime<Utc>,
    idle_timeout: Option<TimeDelta>,
    refresh_counter: u32,
    confirmed_counter: u32,
    ip_address: Option<IpAddr>,
    device_type: DeviceType,
    user_created_at: DateTime<Utc>,
    user_updated_at: DateTime<Utc>,
    opened_by: Option<Opener>,
    authenticated_at: DateTime<Utc>,
    least_counter: u32,
    /// Apart from the texts, because most sessions have none and a use may change it.
    places: Option<Arc<Places>>,
    /// First the user's id, at the end the methods.
    texts: Arc<str>,
}

/// The places of a session, if there are any.
#[derive(Debug)]
struct Places {
    opened_from: Option<Place>,
    last_seen_from: Option<Whereabouts>,
}

impl Places {
    fn pack(opened_from: Option<&Place>, last_seen_from: Option<&Whereabouts>) -> Option<Arc<Self>> {
        let places = Self { opened_from: opened_from.cloned(), last_seen_from: last_seen_from.cloned() };
        (opened_from.is_some() || last_seen_from.is_some()).then(|| Arc::new(places))
    }

    fn bytes(&self) -> usize {
        let last = self.last_seen_from.as_ref().and_then(|from| from.place.as_ref());
        let texts: usize = [self.opened_from.as_ref(), last].into_iter().flatten().map(Place::text_bytes).sum();
        size_of::<Self>() + texts
    }
}

impl Packed {
    /// Packs a session. `None` when it has ended, its user is banned, or a text of it cannot be told from the others.
    pub(super) fn pack(signed_in: &SignedIn) -> Option<Self> {
        let SignedIn { session, user } = signed_in;
        let Session {
            id: _,
            user_id,
            created_at,
            last_seen_at,
            expires_at,
            absolute_expires_at,
            idle_timeout,
            ended,
            refresh_counter,
            confirmed_counter,
            client_id,
            ip_address,
            location,
            place,
            last_seen_from,
            user_agent,
            device: Device { kind, name: device_name, model, os, os_version, browser, browser_version },
            scope,
            acr,
            amr,
            metadata,
            opened_by,
            authenticated_at,
            least_counter,
            claims,
        } = session;
        let User { id: _, name, email, banned_at, ban_reason: _, created_at: user_made, updated_at: user_told } = user;
        if ended.is_some() || banned_at.is_some() {
            return None;
        }
        let one = [
            Some(user_id.as_str()),
            client_id.as_deref(),
            location.as_deref(),
            user_agent.as_deref(),
            device_name.as_deref(),
            model.as_deref(),
            os.as_deref(),
            os_version.as_deref(),
            browser.as_deref(),
            browser_version.as_deref(),
            Some(scope.as_str()),
            acr.as_deref(),
            Some(metadata.as_json()),
            claims.as_ref().map(ExtraClaims::as_json),
            name.as_deref(),
            email.as_deref(),
        ];
        Some(Self {
            created_at: *created_at,
            last_seen_at: *last_seen_at,
            expires_at: *expires_at,
            absolute_expires_at: *absolute_expires_at,
            idle_timeout: *idle_timeout,
            refresh_counter: *refresh_counter,
            confirmed_counter: *confirmed_counter,
            ip_address: *ip_address,
            device_type: *kind,
            user_created_at: *user_made,
            user_updated_at: *user_told,
            opened_by: *opened_by,
            authenticated_at: *authenticated_at,
            least_counter: *least_counter,
            places: Places::pack(place.as_ref(), last_seen_from.as_ref()),
            texts: joined(&one, amr)?,
        })
    }

    /// The session that was packed.
    pub(super) fn unpack(&self, id: SessionId) -> Option<SignedIn> {
        let mut texts = self.texts.split(SEPARATOR);
        let user_id = UserId::parse(texts.next()?).ok()?;
        let mut optional = || texts.next().map(|text| (text != NONE).then(|| text.to_owned()));
        let (client_id, location, user_agent) = (optional()?, optional()?, optional()?);
        let device = Device {
            kind: self.device_type,
            name: optional()?,
            model: optional()?,
            os: optional()?,
            os_version: optional()?,
            browser: optional()?,
            browser_version: optional()?,
        };
        let scope = Scope::parse(&optional()??).ok()?;
        let acr = optional()?;
        let metadata = Metadata::from_json(optional()??).ok()?;
        let claims = optional()?.map(ExtraClaims::from_json);
        let user = User {
            id: user_id.clone(),
            name: optional()?,
            email: optional()?,
            banned_at: None,
            ban_reason: None,
            created_at: self.user_created_at,
            updated_at: self.user_updated_at,
        };
        let session = Session {
            id,
            user_id,
            created_at: self.created_at,
            last_seen_at: self.last_seen_at,
            expires_at: self.expires_at,
            absolute_expires_at: self.absolute_expires_at,
            idle_timeout: self.idle_timeout,
            ended: None,
            refresh_counter: self.refresh_counter,
            confirmed_counter: self.confirmed_counter,
            client_id,
            ip_address: self.ip_address,
            location,
            place: self.places.as_ref().and_then(|places| places.opened_from.clone()),
            last_seen_from: self.places.as_ref().and_then(|places| places.last_seen_from.clone()),
            user_agent,
            device,
            scope,
            acr,
            amr: texts.map(str::to_owned).collect(),
            metadata,
            opened_by: self.opened_by,
            authenticated_at: self.authenticated_at,
            least_counter: self.least_counter,
            claims,
        };
        Some(SignedIn { session, user })
    }

    /// The session's user.
    pub(super) fn user_id(&self) -> &str {
        self.texts.split(SEPARATOR).next().unwrap_or_default()
    }

    /// The bytes of everything beside the entry itself.
    pub(super) fn text_bytes(&self) -> usize {
        self.texts.len() + self.places.as_deref().map_or(0, Places::bytes)
    }

    /// The same after a use was written.
    pub(super) fn touched(&self, touch: &Touch) -> Self {
        let places = match &touch.seen_from {
            Some(from) if self.last_seen_at <= touch.seen_at => {
                Places::pack(self.places.as_ref().and_then(|places| places.opened_from.as_ref()), Some(from))
            }
            _ => self.places.clone(),
        };
        Self {
            last_seen_at: self.last_seen_at.max(touch.seen_at),
            confirmed_counter: self.confirmed_counter.max(touch.counter),
            places,
            ..self.clone()
        }
    }
}

/// The texts in one: those that may be absent, then the methods. `None` when they could not be told apart.
fn joined(one: &[Option<&str>], amr: &[String]) -> Option<Arc<str>> {
    let methods = || amr.iter().map(String::as_str);
    if one.iter().copied().flatten().chain(methods()).any(|text| text.contains(SEPARATOR) || text == NONE) {
        return None;
    }
    let mut joined = String::new();
    for text in one.iter().map(|text| text.unwrap_or(NONE)).chain(methods()) {
        joined.push_str(text);
        joined.push(SEPARATOR);
    }
    joined.pop();
    Some(joined.into())
}

#[cfg(test)]
pub(super) mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::{EndReason, Ended};

    pub(in crate::sessions::cache) fn signed_in() -> SignedIn {
        let at = |seconds: i64| DateTime::from_timestamp(1_767_225_600 + seconds, 123_456_000).unwrap();
        let text = |text: &str| Some(text.to_owned());
        let user_id = UserId::parse("Änn, 1").unwrap();
        let session = Session {
            id: SessionId::from_uuid(Uuid::from_u128(7)),
            user_id: user_id.clone(),
            created_at: at(0),
            last_seen_at: at(1),
            expires_at: at(2),
            absolute_expires_at: at(3),
            idle_timeout: Some(TimeDelta::seconds(4)),
            ended: None,
            refresh_counter: 5,
            confirmed_counter: 6,
            client_id: text("web"),
            ip_address: Some("2001:db8::7".parse().unwrap()),
            location: text("Lisbon"),
            place: Some(Place { city: text("Lisbon"), asn: Some(64500), ..Place::default() }),
            last_seen_from: Some(Whereabouts {
                ip_address: "203.0.113.8".parse().unwrap(),
                place: Some(Place { country: text("DE"), ..Place::default() }),
            }),
            user_agent: text("curl/8"),
            device: Device {
                kind: DeviceType::Bot,
                name: text("mine"),
                model: text("Pixel 8"),
                os: text("Linux"),
                os_version: text("6"),
                browser: text("curl"),
                browser_version: text("8.5"),
            },
            scope: Scope::parse("a b").unwrap(),
            acr: text("aal2"),
            amr: vec!["pwd".to_owned(), String::new(), "otp".to_owned()],
            metadata: Metadata::from_json("{\"a\":\n\t1}".to_owned()).unwrap(),
            opened_by: Some(Opener::Session(SessionId::from_uuid(Uuid::from_u128(8)))),
            authenticated_at: at(10),
            least_counter: 7,
            claims: Some(ExtraClaims::from_json("{\"b\":2}".to_owned())),
        };
        let user = User {
            id: user_id,
            name: text("Ann"),
            email: text("ann@example.org"),
            banned_at: None,
            ban_reason: None,
            created_at: at(8),
            updated_at: at(9),
        };
        SignedIn { session, user }
    }

    #[test]
    fn what_is_unpacked_is_what_was_packed() {
        let whole = signed_in();
        let mut bare = signed_in();
        let Session { client_id, location, user_agent, device, scope, acr, amr, .. } = &mut bare.session;
        (*client_id, *location, *user_agent, *acr) = (None, Some(String::new()), None, None);
        (device.name, device.os, device.browser, *scope, *amr) = (None, None, None, Scope::default(), Vec::new());
        bare.session.claims = None;
        (bare.session.place, bare.session.last_seen_from) = (None, None);
        (bare.session.idle_timeout, bare.session.ip_address, bare.user.name, bare.user.email) =
            (None, None, None, None);
        for signed_in in [whole, bare] {
            let packed = Packed::pack(&signed_in).unwrap();
            assert_eq!(packed.user_id(), signed_in.user.id.as_str());
            assert_eq!(packed.unpack(signed_in.session.id), Some(signed_in));
        }
    }

    #[test]
    fn what_could_be_unpacked_as_something_else_is_not_packed() {
        for harmful in ["\0", "a\0b", NONE] {
            let mut unusual = signed_in();
            unusual.session.location = Some(harmful.to_owned());
            assert!(Packed::pack(&unusual).is_none(), "{harmful:?}");
            let mut unusual = signed_in();
            unusual.session.amr.push(harmful.to_owned());
            assert!(Packed::pack(&unusual).is_none(), "{harmful:?}");
        }
        let mut ended = signed_in();
        ended.session.ended = Some(Ended { at: ended.session.created_at, reason: EndReason::Logout });
        assert!(Packed::pack(&ended).is_none());
        let mut banned = signed_in();
        banned.user.banned_at = Some(banned.user.created_at);
        assert!(Packed::pack(&banned).is_none());
    }

    #[test]
    fn a_use_only_ever_moves_forward() {
        let signed_in = signed_in();
        let packed = Packed::pack(&signed_in).unwrap();
        let (id, seen_at) = (signed_in.session.id, signed_in.session.last_seen_at + TimeDelta::seconds(1));
        let elsewhere = Whereabouts { ip_address: "203.0.113.9".parse().unwrap(), place: None };
        let seen_from = Some(elsewhere.clone());
        let later = packed.touched(&Touch { id, seen_at, counter: 9, seen_from }).unpack(id).unwrap().session;
        assert_eq!((later.last_seen_at, later.confirmed_counter), (seen_at, 9));
        assert_eq!((later.place, later.last_seen_from), (signed_in.session.place.clone(), Some(elsewhere.clone())));
        let seen_at = seen_at - TimeDelta::hours(1);
        let seen_from = Some(elsewhere);
        let earlier = packed.touched(&Touch { id, seen_at, counter: 1, seen_from }).unpack(id).unwrap().session;
        assert_eq!((earlier.last_seen_at, earlier.confirmed_counter), (signed_in.session.last_seen_at, 6));
        assert_eq!(earlier.last_seen_from, signed_in.session.last_seen_from);
    }
}
