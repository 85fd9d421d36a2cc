//! Applications.

use chrono::TimeDelta;
use sojourn::model::{Algorithm, Application, ApplicationSettings, Scope};

use super::fixture::{Fixture, MICROSECOND, at};

on_both_stores!(
    applications_come_back_as_they_were_in_the_order_of_their_ids,
    an_application_whose_id_is_taken_is_not_added,
    of_two_changes_at_once_the_second_has_to_look_again,
    a_deleted_application_leaves_its_keys_bound,
);

fn application(id: &str) -> Application {
    let settings = ApplicationSettings { name: format!("Shop '{id}' ü"), ..ApplicationSettings::default() };
    Application { id: id.to_owned(), settings, created_at: at(0) + MICROSECOND, updated_at: at(1) + MICROSECOND }
}

async fn applications_come_back_as_they_were_in_the_order_of_their_ids(fixture: &Fixture) {
    let plain = application("b");
    let mut full = application("a b/ü");
    full.settings.audiences = vec!["https://api.example.org".to_owned(), "orders".to_owned()];
    full.settings.scope = Some(Scope::parse("profile orders").unwrap());
    full.settings.access_token_lifetime = Some(TimeDelta::seconds(60));
    full.settings.absolute_lifetime = Some(TimeDelta::days(3650));
    full.settings.idle_timeout = Some(TimeDelta::seconds(900));
    full.settings.claims = vec!["https://example.org/tenant".to_owned(), "roles".to_owned()];
    full.settings.signing_algorithm = Some(Algorithm::Es256);
    full.settings.cookie_name = Some("__Host-shop".to_owned());
    for new in [&plain, &full] {
        assert!(fixture.store.add_application(new, None).await.unwrap());
    }
    assert_eq!(fixture.store.applications().await.unwrap(), [full, plain]);
}

async fn an_application_whose_id_is_taken_is_not_added(fixture: &Fixture) {
    let first = application("a");
    assert!(fixture.store.add_application(&first, None).await.unwrap());
    let mut same = application("a");
    "another".clone_into(&mut same.settings.name);
    assert!(!fixture.store.add_application(&same, None).await.unwrap());
    assert_eq!(fixture.store.applications().await.unwrap(), [first]);
}

async fn of_two_changes_at_once_the_second_has_to_look_again(fixture: &Fixture) {
    let stored = application("a");
    fixture.store.add_application(&stored, None).await.unwrap();
    let changed = |name: &str, seconds| {
        let claims = vec![name.to_owned()];
        let signing_algorithm = Some(Algorithm::Rs256);
        let name = name.to_owned();
        let settings = ApplicationSettings { name, claims, signing_algorithm, ..stored.settings.clone() };
        Application { settings, updated_at: at(seconds), ..stored.clone() }
    };
    let (first, second) = (changed("first", 5), changed("second", 6));
    assert!(fixture.store.change_application(&first, stored.updated_at, None).await.unwrap());
    assert!(!fixture.store.change_application(&second, stored.updated_at, None).await.unwrap());
    assert_eq!(fixture.store.applications().await.unwrap(), [first]);
    assert!(fixture.store.change_application(&second, at(5), None).await.unwrap());
    assert_eq!(fixture.store.applications().await.unwrap(), [second]);
}

async fn a_deleted_application_leaves_its_keys_bound(fixture: &Fixture) {
    fixture.store.add_application(&application("a"), None).await.unwrap();
    let key = sojourn::tokens::StoredServiceKey { application: Some("a".to_owned()), ..super::keys::service_key(1, 0) };
    fixture.store.add_service_key(&key, None).await.unwrap();
    assert!(fixture.store.delete_application("a", None).await.unwrap());
    assert!(!fixture.store.delete_application("a", None).await.unwrap());
    assert_eq!(fixture.store.applications().await.unwrap(), []);
    assert_eq!(fixture.store.service_key(key.id).await.unwrap(), Some(key));
}
