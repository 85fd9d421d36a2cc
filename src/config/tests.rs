//! Settings, good and bad.

use std::collections::BTreeMap;

use super::source::is_service_link;
use super::*;

fn source(values: &[(&str, &str)]) -> Result<Source, SettingError> {
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Source::layer(BTreeMap::new(), values)
}

#[test]
fn a_bad_setting_is_named_in_one_line() {
    type Row = (&'static str, &'static str, fn(&Source) -> Option<SettingError>);
    let rows: [Row; 21] = [
        ("SOJOURN_LISTEN", "nowhere", |source| listen_address(source).err()),
        ("PORT", "99999", |source| listen_address(source).err()),
        ("SOJOURN_PROFILE", "aal9", |source| policy(source).err()),
        ("SOJOURN_MAX_SESSIONS_PER_USER", "0", |source| policy(source).err()),
        ("SOJOURN_REAUTH_WITHIN", "59s", |source| policy(source).err()),
        ("SOJOURN_ACCESS_TOKEN_LIFETIME", "2h", |source| policy(source).err()),
        ("SOJOURN_SIGNING_ALGORITHM", "none", |source| TokenConfig::read(source).err()),
        ("SOJOURN_COOKIE", "a b", |source| HttpConfig::read(source).err()),
        ("SOJOURN_COOKIE", "__host-session", |source| HttpConfig::read(source).err()),
        ("SOJOURN_ISSUER", "https://id.example.org/?tenant=1", |source| TokenConfig::read(source).err()),
        ("SOJOURN_CORS_ORIGINS", "https://app.example.org/", |source| HttpConfig::read(source).err()),
        ("SOJOURN_FORWARDING_HEADER", "Via", |source| HttpConfig::read(source).err()),
        ("SOJOURN_CORS_ORIGINS", "*", |source| HttpConfig::read(source).err()),
        ("SOJOURN_RATE_LIMIT", "-1", |source| HttpConfig::read(source).err()),
        ("SOJOURN_TRUSTED_PROXIES", "10.0.0.0/33", |source| HttpConfig::read(source).err()),
        ("SOJOURN_DRAIN_DELAY", "10m", |source| ServerConfig::read(source).err()),
        ("SOJOURN_MAX_CONNECTIONS", "0", |source| ServerConfig::read(source).err()),
        ("SOJOURN_METRICS_LISTEN", "here", |source| HttpConfig::read(source).err()),
        ("SOJOURN_BOOTSTRAP_KEY_UNTIL", "tomorrow", |source| bootstrap_key(source).err()),
        ("SOJOURN_BOOTSTRAP_KEY_UNTIL", "2026-01-31T12:00:00Z", |source| bootstrap_key(source).err()),
        ("SOJOURN_LOG_FORMAT", "xml", |source| LogConfig::read(source).err()),
    ];
    for (name, value, read) in rows {
        let error = read(&source(&[(name, value)]).unwrap()).expect(name).to_string();
        assert!(error.starts_with(&format!("{name}: ")) && !error.contains('\n'), "{error}");
    }
}

#[test]
fn the_defaults_of_the_table_are_those_of_the_core() {
    let nothing = Source::default();
    assert_eq!(policy(&nothing).unwrap(), Policy::default());
    assert_eq!(TokenConfig::read(&nothing).unwrap(), TokenConfig::default());
    let (read, default) = (HttpConfig::read(&nothing).unwrap(), HttpConfig::default());
    let forwarding = |http: &HttpConfig| {
        let header = crate::api::forwarding::Forwarding::new(http.forwarding_header.clone(), Vec::new());
        format!("{header:?}")
    };
    assert_eq!(forwarding(&read), forwarding(&default));
    assert_eq!(
        format!("{read:?}"),
        format!("{:?}", HttpConfig { forwarding_header: read.forwarding_header.clone(), ..default })
    );
    for setting in SETTINGS {
        assert!(!setting.help().is_empty(), "{}", setting.name());
    }
}

#[test]
fn a_recent_authentication_is_demanded_only_where_it_is_set() {
    let policy = policy(&source(&[("SOJOURN_REAUTH_WITHIN", "5m")]).unwrap()).unwrap();
    assert_eq!(policy.reauth_within, Some(TimeDelta::minutes(5)));
    assert_eq!(Policy::default().reauth_within, None);
}

#[test]
fn an_unknown_name_is_refused_but_not_what_kubernetes_sets() {
    let error = source(&[("SOJOURN_RETENTON", "30d")]).unwrap_err().to_string();
    assert!(error.starts_with("SOJOURN_RETENTON: there is no such setting"), "{error}");
    let links = [
        ("SOJOURN_PORT", "tcp://10.96.0.7:8080"),
        ("SOJOURN_SERVICE_HOST", "10.96.0.7"),
        ("SOJOURN_POSTGRESQL_SERVICE_HOST", "10.96.0.7"),
        ("SOJOURN_POSTGRESQL_SERVICE_PORT", "5432"),
        ("SOJOURN_POSTGRESQL_PORT_5432_TCP", "tcp://10.96.0.7:5432"),
        ("SOJOURN_POSTGRESQL_PORT_5432_TCP_PROTO", "tcp"),
        ("SOJOURN_POSTGRESQL_PORT_5432_TCP_PORT", "5432"),
        ("SOJOURN_POSTGRESQL_PORT_5432_TCP_ADDR", "10.96.0.7"),
        ("SOJOURN_METRICS_PORT", "tcp://10.96.0.1:9090"),
        ("SOJOURN_METRICS_SERVICE_PORT_HTTP", "9090"),
    ];
    for (name, value) in links {
        assert!(is_service_link(name, value), "{name}");
    }
    for (name, value) in [("SOJOURN_PORT", "8080"), ("SOJOURN_PROFILE", "aal1"), ("SOJOURN_PORT_8080_TCP_X", "1")] {
        assert!(!is_service_link(name, value), "{name}");
    }
    for name in SETTINGS.iter().map(|setting| setting.name()) {
        assert!(!is_service_link(name, "tcp://10.96.0.1:1"), "{name}");
    }
}

#[test]
fn a_named_level_can_be_made_tighter_and_not_looser() {
    let aal3 = ("SOJOURN_PROFILE", "aal3");
    assert!(policy(&source(&[aal3, ("SOJOURN_ABSOLUTE_LIFETIME", "13h")]).unwrap()).is_err());
    assert!(policy(&source(&[aal3, ("SOJOURN_IDLE_TIMEOUT", "16m")]).unwrap()).is_err());
    let tighter = policy(&source(&[aal3, ("SOJOURN_ABSOLUTE_LIFETIME", "8h")]).unwrap()).unwrap();
    assert_eq!(tighter.lifetime.absolute, TimeDelta::hours(8));
    let plain = policy(&source(&[("SOJOURN_ABSOLUTE_LIFETIME", "90d")]).unwrap()).unwrap();
    assert_eq!(plain.lifetime.absolute, TimeDelta::days(90));
}

#[test]
fn with_postgresql_a_secret_must_be_set() {
    let url = ("DATABASE_URL", "postgres://u:hidden@db/x");
    let entropy = crate::clock::SystemEntropy;
    let error = StorageConfig::read(&source(&[url]).unwrap(), &entropy).unwrap_err().to_string();
    assert!(error.starts_with("SOJOURN_SECRET: ") && !error.contains("hidden"), "{error}");
    let secret = ("SOJOURN_SECRET", "9f2c41d07be85a633cd19e0f64b7a2588137fce0d24b956a70e8134fc5aa2d91");
    let config = StorageConfig::read(&source(&[url, secret]).unwrap(), &entropy).unwrap();
    assert_eq!(config.database_shown, "postgres://db/x");
    assert!(!format!("{config:?}").contains("hidden"));
}

#[test]
fn a_read_replica_needs_postgresql() {
    let replica = ("SOJOURN_SEARCH_DATABASE_URL", "postgres://u:hidden@standby/x");
    let secret = ("SOJOURN_SECRET", "9f2c41d07be85a633cd19e0f64b7a2588137fce0d24b956a70e8134fc5aa2d91");
    let entropy = crate::clock::SystemEntropy;
    let embedded = source(&[("DATABASE_URL", "sqlite://x"), replica, secret]).unwrap();
    let error = StorageConfig::read(&embedded, &entropy).unwrap_err().to_string();
    assert!(error.starts_with("SOJOURN_SEARCH_DATABASE_URL: ") && !error.contains("hidden"), "{error}");
    let shared = source(&[("DATABASE_URL", "postgres://db/x"), replica, secret]).unwrap();
    let config = StorageConfig::read(&shared, &entropy).unwrap();
    assert!(config.search_database_url.is_some() && !format!("{config:?}").contains("hidden"));
}

#[test]
fn flags_win_over_the_environment_and_both_over_the_file() {
    let folder = std::env::temp_dir().join(format!("sojourn-config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("sojourn.toml");
    std::fs::write(&file, "SOJOURN_ISSUER = \"file\"\nSOJOURN_AUDIENCE = \"file\"\nSOJOURN_COOKIE = \"file\"\n")
        .unwrap();
    let map =
        |rows: &[(&str, &str)]| rows.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let environment = map(&[
        ("SOJOURN_CONFIG", file.to_str().unwrap()),
        ("SOJOURN_AUDIENCE", "environment"),
        ("SOJOURN_COOKIE", "environment"),
    ]);
    let source = Source::layer(map(&[("SOJOURN_COOKIE", "flag")]), environment).unwrap();
    let read = |name| source.text(name).unwrap();
    assert_eq!(
        [read("SOJOURN_ISSUER"), read("SOJOURN_AUDIENCE"), read("SOJOURN_COOKIE")],
        ["file", "environment", "flag"]
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_file_may_leave_the_prefix_out_and_names_each_setting_once() {
    let folder = std::env::temp_dir().join(format!("sojourn-short-names-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("sojourn.toml");
    let read = |text: &str| {
        std::fs::write(&file, text).unwrap();
        source(&[("SOJOURN_CONFIG", file.to_str().unwrap())])
    };
    let short = read(
        "retention = \"7d\"\nerase_deleted_users = true\nrate_limit = 5\ndatabase_url = \"sqlite://x\"\nport = 1\n",
    );
    let short = short.unwrap();
    let values = ["SOJOURN_RETENTION", "SOJOURN_ERASE_DELETED_USERS", "SOJOURN_RATE_LIMIT", "DATABASE_URL", "PORT"];
    assert_eq!(values.map(|name| short.text(name).unwrap()), ["7d", "true", "5", "sqlite://x", "1"]);
    for (text, named) in [
        ("retenton = 1", "retenton: there is no such setting"),
        ("Retention = 1", "Retention: there is no such setting"),
        ("retention = 1\nSOJOURN_RETENTION = 2", "is there twice"),
        ("trusted_proxies = [\"10.0.0.0/8\"]", "trusted_proxies must be text"),
        ("[server]\nlisten = 1", "server: there is no such setting"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.starts_with("SOJOURN_CONFIG: ") && error.contains(named), "{error}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_made_secret_is_kept_and_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = std::env::temp_dir().join(format!("sojourn-secret-{}", std::process::id()));
    let entropy = crate::clock::SystemEntropy;
    let first = secrets::kept_secret(&folder, true, &entropy).unwrap();
    for is_new in [true, false] {
        assert_eq!(first, secrets::kept_secret(&folder, is_new, &entropy).unwrap());
    }
    assert_eq!(folder.join("secret").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn no_secret_is_made_for_a_database_that_had_one() {
    let folder = std::env::temp_dir().join(format!("sojourn-no-secret-{}", std::process::id()));
    let error = secrets::kept_secret(&folder, false, &crate::clock::SystemEntropy).unwrap_err();
    assert!(error.to_string().contains("the master secret of this database is missing"), "{error}");
    assert!(!folder.exists());
}

#[test]
fn previous_secrets_stand_between_commas_or_on_lines_and_are_few() {
    let one = "b7f04".repeat(16);
    let read = |text: &str| secrets::previous_secrets(&source(&[("SOJOURN_PREVIOUS_SECRETS", text)]).unwrap());
    assert_eq!(read(&format!("{one}, {one}\n{one}")).unwrap().len(), 3);
    assert_eq!(secrets::previous_secrets(&source(&[]).unwrap()).unwrap().len(), 0);
    for wrong in ["short".to_owned(), format!("{one},short"), [one.as_str(); 5].join(",")] {
        let error = read(&wrong).unwrap_err().to_string();
        assert!(error.starts_with("SOJOURN_PREVIOUS_SECRETS: ") && !error.contains("b7f04"), "{error}");
    }
}

#[test]
fn a_weak_bootstrap_key_is_refused() {
    for weak in [
        "a".repeat(32),
        "changeme".repeat(4),
        "0123456789abcdef".repeat(3),
        "abcdefghijklmnopqrstuvwxyz012345".to_owned(),
    ] {
        let source = source(&[("SOJOURN_BOOTSTRAP_KEY", &weak)]).unwrap();
        let error = bootstrap_key(&source).unwrap_err().to_string();
        assert!(error.contains("must be random") && !error.contains(&weak), "{error}");
    }
}

/// Every secret setting is in it, also one that somebody adds later.
#[test]
fn the_settings_are_shown_with_their_origins_and_without_a_secret() {
    let secrets: Vec<&&dyn Documented> = SETTINGS.iter().filter(|setting| setting.is_secret()).collect();
    assert_eq!(secrets.len(), 5, "a new secret setting is shown to nobody either");
    for secret in secrets {
        let text = format!("rabbit-{}-hole", secret.name());
        let file_name = secret.file_name().unwrap();
        for name in [secret.name(), &file_name] {
            let shown = source(&[(name, &text)]).unwrap().shown();
            assert!(!format!("{shown:?}").contains("rabbit"), "{name}");
            let of_secret = shown.iter().find(|shown| shown.name == secret.name()).unwrap();
            assert_eq!((of_secret.is_secret, of_secret.origin), (true, Origin::Environment), "{name}");
        }
    }
    for setting in SETTINGS {
        assert_eq!(setting.is_secret(), setting.file_name().is_some(), "{}", setting.name());
    }
}

#[test]
fn a_setting_is_shown_with_the_value_in_force_and_the_place_it_came_from() {
    let file = std::env::temp_dir().join(format!("sojourn-shown-{}.toml", std::process::id()));
    std::fs::write(&file, "retention = \"60d\"\nSOJOURN_AUDIENCE = \"file\"\naudience_not = 1").unwrap();
    let path = file.display().to_string();
    let read = || {
        let environment =
            [("SOJOURN_CONFIG", path.as_str()), ("SOJOURN_AUDIENCE", " shop "), ("SOJOURN_PROFILE", "aal2")];
        let environment = [&environment[..], &[("PORT", "9000"), ("SOJOURN_COOKIE", "")]].concat();
        let texts = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let flags = BTreeMap::from([texts(("SOJOURN_ACCESS_TOKEN_LIFETIME", "2m"))]);
        Source::layer(flags, environment.into_iter().map(texts).collect())
    };
    assert!(read().is_err(), "the file is checked");
    std::fs::write(&file, "retention = \"60d\"\nSOJOURN_AUDIENCE = \"file\"").unwrap();
    let source = read().unwrap();
    std::fs::remove_file(&file).unwrap();

    let (server, mut policy) = (ServerConfig::new(std::time::Duration::ZERO, 100), policy(&source).unwrap());
    policy.streams = server.room_for(policy.streams);
    let listen = listen_address(&source).unwrap();
    let shown = shown_settings(&source, &listen, &server, &policy);
    assert_eq!(shown.len(), SETTINGS.len());
    for (name, value, origin) in [
        ("SOJOURN_RETENTION", Some("60d"), Origin::File),
        ("SOJOURN_AUDIENCE", Some("shop"), Origin::Environment),
        ("SOJOURN_ACCESS_TOKEN_LIFETIME", Some("2m"), Origin::Flag),
        ("SOJOURN_REFRESH_GRACE", Some("30s"), Origin::Default),
        ("SOJOURN_COOKIE", None, Origin::Default),
        ("SOJOURN_LISTEN", Some("0.0.0.0:9000"), Origin::Environment),
        ("SOJOURN_MAX_CONNECTIONS", Some("100"), Origin::Default),
        ("SOJOURN_CONNECTIONS_PER_ADDRESS", Some("50"), Origin::Default),
        ("SOJOURN_STREAM_LIMIT", Some("50"), Origin::Default),
        ("SOJOURN_ABSOLUTE_LIFETIME", Some("1day"), Origin::Default),
        ("SOJOURN_IDLE_TIMEOUT", Some("1h"), Origin::Default),
        ("SOJOURN_CONFIG", Some(path.as_str()), Origin::Environment),
    ] {
        let setting = shown.iter().find(|setting| setting.name == name).unwrap();
        assert_eq!((setting.value.as_deref(), setting.origin), (value, origin), "{name}");
    }
}
