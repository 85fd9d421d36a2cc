//! German.

use super::texts::{Done, Problem, Unit, Words};

const MONTHS: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

pub(super) static WORDS: Words = Words {
    lang: "de",
    dir: "ltr",
    title: "Wo du angemeldet bist",
    lead: "Diese Browser und Apps können dein Konto benutzen. Beende, was du nicht mehr brauchst.",
    back: "Zurück",
    this_device: "Dieses Gerät",
    now: "Jetzt aktiv",
    others: "Andere Geräte",
    devices: "Geräte",
    no_others: "Du bist sonst nirgends angemeldet.",
    none: "Du bist nirgends angemeldet.",
    over: "In den letzten 30 Tagen abgemeldet",
    end: "Beenden",
    sign_out: "Abmelden",
    end_others: "Überall sonst abmelden",
    end_all: "Überall abmelden",
    rename: "Umbenennen",
    name_of_device: "Name des Geräts",
    save: "Speichern",
    details: "Einzelheiten",
    address: "IP-Adresse",
    unknown_device: "Unbekanntes Gerät",
    visit: "Dieser Browser sieht die Seite durch einen Link, 30 Minuten lang.",
    close: "Seite schließen",
    open: "Deine Anmeldungen öffnen",
    open_lead: "Dieser Link zeigt, wo du angemeldet bist: einmal und nur in diesem Browser.",
    continue_on: "Weiter",
    to_sign_in: "Anmelden",
    to_sessions: "Zu deinen Anmeldungen",
    request: "Anfrage",
    gone: "Eine Anmeldung wurde anderswo beendet.",
    on: |program, place| format!("{program} auf {place}"),
    safety: |application| {
        let place = application.map(|name| format!(" bei {name}")).unwrap_or_default();
        format!("Etwas kommt dir unbekannt vor? Beende es und ändere dann dein Passwort{place}.")
    },
    since: |date| format!("angemeldet seit {date}"),
    last_used: |ago| format!("Zuletzt benutzt {ago}"),
    date: |day, month, year| format!("{day}. {} {year}", MONTHS.get(month as usize - 1).unwrap_or(&"")),
    ago,
    more: |number| match number {
        1 => "1 weitere wird nicht gezeigt.".to_owned(),
        _ => format!("{number} weitere werden nicht gezeigt."),
    },
    reason: |reason| match reason {
        "logout" => "Abgemeldet",
        "revoked_by_user" => "Von dir beendet",
        "revoked_by_admin" => "Von der Verwaltung beendet",
        "replaced" => "Durch eine neuere Anmeldung ersetzt",
        "reuse_detected" => "Zur Sicherheit beendet: ihr Token wurde zweimal benutzt",
        "user_banned" => "Beendet, weil das Konto gesperrt wurde",
        "user_deleted" => "Mit dem Konto beendet",
        "expired" => "Abgelaufen",
        "idle_expired" => "Zu lange nicht benutzt",
        _ => "Beendet",
    },
    done: |done| match done {
        Done::Ended => "Die Anmeldung wurde beendet.".to_owned(),
        Done::EndedOthers(0) => "Sonst gab es nichts zu beenden.".to_owned(),
        Done::EndedOthers(1) => "Du wurdest auf einem anderen Gerät abgemeldet.".to_owned(),
        Done::EndedOthers(number) => format!("Du wurdest auf {number} anderen Geräten abgemeldet."),
        Done::Renamed => "Der Name wurde gespeichert.".to_owned(),
    },
    problem: |problem| match problem {
        Problem::NotSignedIn => ("Du bist nicht angemeldet", "Melde dich an, um zu sehen, wo dein Konto benutzt wird."),
        Problem::JustSignedOut => ("Du bist abgemeldet", "Deine Anmeldung auf diesem Gerät wurde beendet."),
        Problem::Closed => ("Die Seite ist geschlossen", "Dieser Browser sieht deine Anmeldungen nicht mehr."),
        Problem::LinkGone => {
            ("Dieser Link öffnet nichts mehr", "Er wurde schon benutzt oder ist zu alt. Lass dir einen neuen geben.")
        }
        Problem::OtherSite => {
            ("Nichts wurde geändert", "Die Anfrage kam von einer anderen Seite. Versuche es von dieser aus.")
        }
        Problem::SignInAgain => (
            "Melde dich zuerst noch einmal an",
            "Deine Anmeldung liegt zu lange zurück, um andere Anmeldungen zu beenden.",
        ),
        Problem::NotFound => ("Diese Anmeldung gibt es nicht", "Sie gehört nicht dir oder ist nicht mehr gespeichert."),
        Problem::IsOver => ("Diese Anmeldung ist vorbei", "Sie wurde beendet oder ist abgelaufen."),
        Problem::BadName => {
            ("Dieser Name lässt sich nicht speichern", "Ein Name hat höchstens 255 Zeichen, in einer Zeile.")
        }
        Problem::TooMany => ("Zu viele Anfragen", "Warte einen Augenblick und versuche es noch einmal."),
        Problem::Unreachable => {
            ("Das geht im Augenblick nicht", "Nichts wurde geändert. Versuche es gleich noch einmal.")
        }
        Problem::Broken => ("Bei uns ist etwas schiefgegangen", "Versuche es gleich noch einmal."),
    },
};

fn ago(unit: Unit, number: u32) -> String {
    if number == 0 {
        return "gerade eben".to_owned();
    }
    let unit = match (unit, number) {
        (Unit::Minute, 1) => "Minute",
        (Unit::Minute, _) => "Minuten",
        (Unit::Hour, 1) => "Stunde",
        (Unit::Hour, _) => "Stunden",
        (Unit::Day, 1) => "Tag",
        (Unit::Day, _) => "Tagen",
    };
    format!("vor {number} {unit}")
}
