//! The console, as an operator finds it: the link of the first start, an address of its own, and none at all.

use crate::support::process::{Folder, Process, SECRET};

/// The pages and the cookies of one browser.
struct Browser(reqwest::Client);

impl Browser {
    fn new() -> Self {
        Self(reqwest::Client::builder().no_proxy().build().unwrap())
    }

    async fn status(&self, url: &str) -> u16 {
        self.0.get(url).send().await.unwrap().status().as_u16()
    }

    /// Signs in with the part of a link behind `#`: the status, and the cookie.
    async fn sign_in(&self, base: &str, link: &str) -> (u16, Option<String>) {
        let link = link.split_once('#').unwrap().1;
        let request = self.0.post(format!("{base}/admin/sign-in")).header("sec-fetch-site", "same-origin");
        let answer = request.json(&serde_json::json!({ "link": link })).send().await.unwrap();
        let cookie = answer.headers().get("set-cookie").map(|cookie| cookie.to_str().unwrap());
        let cookie = cookie.map(|cookie| cookie.split(';').next().unwrap().to_owned());
        (answer.status().as_u16(), cookie)
    }

    async fn role(&self, base: &str, cookie: &str) -> String {
        let request = self.0.get(format!("{base}/admin/me")).header("sec-fetch-site", "same-origin");
        let me: serde_json::Value = request.header("cookie", cookie).send().await.unwrap().json().await.unwrap();
        me["role"].as_str().unwrap().to_owned()
    }
}

/// The line about the console that a server says when it starts, without what follows the URL.
fn console_of(server: &Process) -> Option<&str> {
    let line = server.welcome.iter().find_map(|line| line.split_once("the console is at"))?.1.trim();
    line.split(' ').next()
}

#[tokio::test]
async fn the_first_start_says_a_link_that_signs_in_once_and_later_ones_do_not() {
    let (folder, browser) = (Folder::new(), Browser::new());
    let server = folder.serve(&[]);
    let link = console_of(&server).unwrap();
    assert!(link.starts_with(&format!("{}/admin#sjl_", server.base)), "{link}");
    let (status, cookie) = browser.sign_in(&server.base, link).await;
    assert_eq!((status, browser.role(&server.base, &cookie.unwrap()).await.as_str()), (204, "admin"));
    assert_eq!(browser.sign_in(&server.base, link).await, (401, None), "a link signs in once");
    assert!(!server.log().contains(link.split_once('#').unwrap().1), "no link is in the log");
    drop(server);
    folder.printed(&["key", "create", "--name", "first", "--scope", "sessions:admin"]);
    let server = folder.serve(&[]);
    assert_eq!(console_of(&server).unwrap(), format!("{}/admin", server.base), "there is a key to sign in with");
}

#[tokio::test]
async fn a_command_prints_a_link_and_the_bootstrap_key_stands_for_one() {
    let (folder, browser) = (Folder::new(), Browser::new());
    let key = ("SOJOURN_BOOTSTRAP_KEY", "a-bootstrap-key-that-only-the-tests-know");
    let server = folder.serve(&[("SOJOURN_SECRET", SECRET), key]);
    assert_eq!(console_of(&server).unwrap(), format!("{}/admin", server.base));
    let command = folder.program().args(["console", "link"]).env("SOJOURN_SECRET", SECRET).output().unwrap();
    assert!(command.status.success());
    let link = String::from_utf8(command.stdout).unwrap();
    assert_eq!(browser.sign_in(&server.base, link.trim()).await.0, 204);
    let mut off = folder.program();
    let off = off.args(["console", "link"]).env("SOJOURN_SECRET", SECRET).env("SOJOURN_CONSOLE", "off");
    let off = off.output().unwrap();
    assert_eq!(
        (off.status.success(), String::from_utf8(off.stderr).unwrap().as_str()),
        (false, "sojourn: SOJOURN_CONSOLE is off\n")
    );
}

#[tokio::test]
async fn a_console_at_its_own_address_is_not_at_the_main_one_and_brings_the_api_along() {
    let (folder, browser) = (Folder::new(), Browser::new());
    let server = folder.serve(&[("SOJOURN_CONSOLE_LISTEN", "127.0.0.1:0")]);
    let link = console_of(&server).unwrap();
    let own = link.split_once("/admin").unwrap().0;
    assert_ne!(own, server.base);
    assert_eq!(browser.status(&format!("{}/admin", server.base)).await, 404);
    for (path, status) in
        [("/admin", 200), ("/readyz", 200), ("/v1/me", 401), ("/auth/sessions", 404), ("/metrics", 404)]
    {
        assert_eq!(browser.status(&format!("{own}{path}")).await, status, "{path}");
    }
    let (status, cookie) = browser.sign_in(own, link).await;
    let cookie = cookie.unwrap();
    assert_eq!((status, browser.role(own, &cookie).await.as_str()), (204, "admin"));
    for (base, status) in [(own, 200), (&server.base, 401)] {
        let request = browser.0.get(format!("{base}/v1/keys")).header("sec-fetch-site", "same-origin");
        let answered = request.header("cookie", &cookie).send().await.unwrap().status().as_u16();
        assert_eq!(answered, status, "browsers send the cookie to every port");
    }
}

#[tokio::test]
async fn a_console_that_is_off_is_not_said_to_be_anywhere() {
    let folder = Folder::new();
    let server = folder.serve(&[("SOJOURN_CONSOLE", "off")]);
    assert_eq!(console_of(&server), None);
    assert_eq!(Browser::new().status(&format!("{}/admin", server.base)).await, 404);
    let mut both = folder.program();
    let settings = [("SOJOURN_CONSOLE", "off"), ("SOJOURN_CONSOLE_LISTEN", "127.0.0.1:1")];
    let both = both.args(["migrate"]).envs(settings).output().unwrap();
    let said = String::from_utf8(both.stderr).unwrap();
    assert_eq!(said, "sojourn: SOJOURN_CONSOLE_LISTEN: is set, but SOJOURN_CONSOLE is off\n");
}
