//! One-time links.

use sojourn::model::{LinkPurpose, OneTimeLink, Opener, ServiceKeyId, Stale};
use uuid::Uuid;

use super::fixture::{Fixture, MICROSECOND, at, session_of, user};

on_both_stores!(
    a_link_is_taken_once_and_comes_back_as_it_was,
    a_link_opens_nothing_from_its_end_on,
    a_link_of_another_purpose_is_left_as_it_is,
    of_ten_at_once_one_takes_a_link,
    a_link_whose_hash_is_taken_is_refused,
    expired_links_are_deleted_and_the_others_stay,
    a_deleted_user_s_links_go_and_nobody_else_s,
    an_erased_user_s_links_go_and_nobody_else_s,
);

const ACCOUNT: LinkPurpose = LinkPurpose::Account;

fn hash(number: u8) -> [u8; 32] {
    [number; 32]
}

fn link_of(name: &str) -> OneTimeLink {
    OneTimeLink {
        purpose: ACCOUNT,
        user: Some(user(name)),
        application: None,
        made_by: Opener::CommandLine,
        expires_at: at(900),
    }
}

async fn put(fixture: &Fixture, number: u8, link: &OneTimeLink) {
    fixture.store.put_one_time_link(&hash(number), link).await.unwrap();
}

async fn take(fixture: &Fixture, number: u8, seconds: i64) -> Option<OneTimeLink> {
    fixture.store.take_one_time_link(&hash(number), ACCOUNT, at(seconds)).await.unwrap()
}

async fn a_link_is_taken_once_and_comes_back_as_it_was(fixture: &Fixture) {
    let key = Opener::Key(ServiceKeyId(Uuid::from_u128(7)));
    let full = OneTimeLink { application: Some("shop ü".to_owned()), made_by: key, ..link_of("ann 'ü'") };
    let plain = OneTimeLink { user: None, ..link_of("nobody") };
    put(fixture, 1, &full).await;
    put(fixture, 2, &plain).await;
    assert_eq!(take(fixture, 3, 0).await, None);
    assert_eq!(take(fixture, 1, 0).await, Some(full));
    assert_eq!(take(fixture, 1, 0).await, None);
    assert_eq!(take(fixture, 2, 0).await, Some(plain));
}

async fn a_link_opens_nothing_from_its_end_on(fixture: &Fixture) {
    let link = OneTimeLink { expires_at: at(900) + MICROSECOND, ..link_of("ann") };
    put(fixture, 1, &link).await;
    put(fixture, 2, &link_of("ann")).await;
    assert_eq!(take(fixture, 2, 900).await, None);
    assert_eq!(take(fixture, 1, 900).await, Some(link));
}

async fn a_link_of_another_purpose_is_left_as_it_is(fixture: &Fixture) {
    put(fixture, 1, &link_of("ann")).await;
    let other = fixture.store.take_one_time_link(&hash(1), LinkPurpose::Console, at(0)).await.unwrap();
    assert_eq!(other, None);
    assert_eq!(take(fixture, 1, 0).await, Some(link_of("ann")));
}

async fn of_ten_at_once_one_takes_a_link(fixture: &Fixture) {
    put(fixture, 1, &link_of("ann")).await;
    let taken = fixture
        .race(10, |_, store| async move { store.take_one_time_link(&hash(1), ACCOUNT, at(0)).await.unwrap() })
        .await;
    assert_eq!(taken.into_iter().flatten().collect::<Vec<_>>(), [link_of("ann")]);
}

async fn a_link_whose_hash_is_taken_is_refused(fixture: &Fixture) {
    put(fixture, 1, &link_of("ann")).await;
    assert!(fixture.store.put_one_time_link(&hash(1), &link_of("eve")).await.is_err());
    assert_eq!(take(fixture, 1, 0).await, Some(link_of("ann")));
}

async fn expired_links_are_deleted_and_the_others_stay(fixture: &Fixture) {
    let later = OneTimeLink { expires_at: at(900) + MICROSECOND, ..link_of("ann") };
    put(fixture, 1, &link_of("ann")).await;
    put(fixture, 2, &later).await;
    let stale = Stale::OneTimeLinks(at(900));
    assert_eq!(fixture.store.delete_stale(stale, true, None).await.unwrap(), Some(1));
    assert_eq!(fixture.store.delete_stale(stale, true, None).await.unwrap(), Some(0));
    assert_eq!(take(fixture, 1, 0).await, None);
    assert_eq!(take(fixture, 2, 0).await, Some(later));
}

async fn a_deleted_user_s_links_go_and_nobody_else_s(fixture: &Fixture) {
    fixture.open(session_of("ann")).await;
    put(fixture, 1, &link_of("ann")).await;
    put(fixture, 2, &link_of("bob")).await;
    fixture.store.delete_user(&user("ann"), at(5), None).await.unwrap().unwrap();
    assert_eq!(take(fixture, 1, 5).await, None);
    assert_eq!(take(fixture, 2, 5).await, Some(link_of("bob")));
}

async fn an_erased_user_s_links_go_and_nobody_else_s(fixture: &Fixture) {
    put(fixture, 1, &link_of("ann")).await;
    put(fixture, 2, &link_of("bob")).await;
    assert_eq!(fixture.store.erase_user(&user("ann"), "user:ann", "erased", None).await.unwrap(), 0);
    assert_eq!(take(fixture, 1, 5).await, None);
    assert_eq!(take(fixture, 2, 5).await, Some(link_of("bob")));
}
