//! `GET /v1/settings`, of the real program.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::database::TestDatabase;
use crate::support::process::Folder;

const KEY: &str = "k3y-Xq81mZ0vTfB2nRw7Lc5Hs9Yd4Ju6Pe";
const SECRET: &str = "Zm9yLXRoZS10ZXN0cy1vbmx5LTg0MTk3NTMwMjY2MTkwNDc3Mw==";
const PREVIOUS: &str = "b3RoZXItc2VjcmV0LTk5MTczMDQ1ODI2NjQxMDA4NTU3MTI0OQ==";

async fn get(base: &str, path: &str) -> String {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = client.get(format!("{base}{path}")).bearer_auth(KEY).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_setting_is_told_but_no_secret() {
    let (database, folder) = (TestDatabase::postgres().await, Folder::new());
    std::fs::write(folder.path.join("sojourn.toml"), format!("retention = \"60d\"\nprevious_secrets = \"{PREVIOUS}\""))
        .unwrap();
    std::fs::write(folder.path.join("key"), KEY).unwrap();
    let with_password = |separator| {
        let (start, rest) = database.url().split_once("://").unwrap();
        let rest = rest.split_once('@').map_or(rest, |(_, rest)| rest);
        format!("{start}://postgres:pa55-w0rd{separator}{rest}")
    };
    let (url, search) = (with_password("@"), with_password("-too@"));
    let server = folder.serve(&[
        ("SOJOURN_CONFIG", "sojourn.toml"),
        ("DATABASE_URL", &url),
        ("SOJOURN_SEARCH_DATABASE_URL", &search),
        ("SOJOURN_SECRET", SECRET),
        ("SOJOURN_BOOTSTRAP_KEY_FILE", "key"),
        ("SOJOURN_AUDIENCE", "shop"),
    ]);
    let text = get(&server.base, "/v1/settings").await;
    for secret in [KEY, SECRET, PREVIOUS, "pa55-w0rd", url.as_str()] {
        assert!(!text.contains(secret), "{text}");
    }
    let answer: Value = serde_json::from_str(&text).unwrap();
    let settings: BTreeMap<&str, &Value> = answer["settings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|setting| (setting["name"].as_str().unwrap(), setting))
        .collect();
    assert_eq!(settings.len(), sojourn::config::SETTINGS.len());
    for (name, value, source, is_secret) in [
        ("SOJOURN_LISTEN", "127.0.0.1:0", "environment", false),
        ("SOJOURN_RETENTION", "60d", "file", false),
        ("SOJOURN_AUDIENCE", "shop", "environment", false),
        ("SOJOURN_ISSUER", "http://localhost:8080", "default", false),
        ("DATABASE_URL", "", "environment", true),
        ("SOJOURN_SEARCH_DATABASE_URL", "", "environment", true),
        ("SOJOURN_SECRET", "", "environment", true),
        ("SOJOURN_PREVIOUS_SECRETS", "", "file", true),
        ("SOJOURN_BOOTSTRAP_KEY", "", "environment", true),
    ] {
        let setting = settings[name];
        assert_eq!(setting["value"].as_str().unwrap_or_default(), value, "{setting}");
        assert_eq!((&setting["source"], &setting["secret"]), (&source.into(), &is_secret.into()), "{setting}");
        assert_eq!(setting["is_set"], source != "default", "{setting}");
        assert!(!setting["description"].as_str().unwrap().is_empty());
    }

    let status: Value = serde_json::from_str(&get(&server.base, "/v1/status").await).unwrap();
    let problems: Vec<&str> =
        status["problems"].as_array().unwrap().iter().map(|problem| problem["code"].as_str().unwrap()).collect();
    assert!(problems.contains(&"default_issuer") && problems.contains(&"bootstrap_key_without_end"), "{status}");
}
