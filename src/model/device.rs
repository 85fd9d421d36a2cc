//! Devices, as shown to people.

mod hardware;
mod header;
mod hints;
mod programs;
pub(super) mod recognise;
mod systems;

pub use hints::ClientHints;

/// The maximum length of a stored User-Agent, in characters; the rest is cut off.
pub const MAX_USER_AGENT_CHARS: usize = 512;

/// A kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DeviceType {
    /// A computer on a desk or a lap.
    Desktop,
    /// A phone.
    Mobile,
    /// A tablet.
    Tablet,
    /// A television, or a box beside one.
    Tv,
    /// A games console.
    Console,
    /// A headset for virtual reality.
    Headset,
    /// An app or a tool that does not name its device. An app on a phone is of the kind of the phone.
    App,
    /// A program, not a person.
    Bot,
    /// An unrecognised device.
    #[default]
    Unknown,
}

impl DeviceType {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Desktop,
        Self::Mobile,
        Self::Tablet,
        Self::Tv,
        Self::Console,
        Self::Headset,
        Self::App,
        Self::Bot,
        Self::Unknown,
    ];

    /// The word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Desktop => "desktop",
            Self::Mobile => "mobile",
            Self::Tablet => "tablet",
            Self::Tv => "tv",
            Self::Console => "console",
            Self::Headset => "headset",
            Self::App => "app",
            Self::Bot => "bot",
            Self::Unknown => "unknown",
        }
    }

    /// The kind of a stored word. One that only a newer server knows is unknown: no session becomes unreadable by it.
    pub fn stored(word: &str) -> Self {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).unwrap_or_default()
    }
}

/// A device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Device {
    /// The kind.
    pub kind: DeviceType,
    /// The name that its user or the opener gave it.
    pub name: Option<String>,
    /// The model, such as `iPhone` or `Samsung SM-S918B`.
    pub model: Option<String>,
    /// The operating system, such as `macOS`.
    pub os: Option<String>,
    /// The version of the operating system.
    pub os_version: Option<String>,
    /// The browser or program, such as `Chrome`.
    pub browser: Option<String>,
    /// The version of the browser or program.
    pub browser_version: Option<String>,
}

impl Device {
    /// The name for people: the given one, else one like `Firefox 145 on Linux`, `Instagram on iPhone` or `Samsung TV`.
    /// `None` when nothing is known.
    pub fn label(&self) -> Option<String> {
        if self.name.is_some() {
            return self.name.clone();
        }
        match self.program_and_place() {
            (Some(program), Some(place)) => Some(format!("{program} on {place}")),
            (program, place) => program.or(place),
        }
    }

    /// The program and the machine or system that it runs on, as far as people should see them: without a name that the
    /// user gave. The browser of a television or a console says nothing to people.
    pub fn program_and_place(&self) -> (Option<String>, Option<String>) {
        let is_browser = self.browser.as_deref().is_some_and(programs::is_browser);
        let is_appliance = matches!(self.kind, DeviceType::Tv | DeviceType::Console | DeviceType::Headset);
        match (self.program(is_browser), self.place()) {
            (_, Some(place)) if is_appliance && is_browser => (None, Some(place)),
            parts => parts,
        }
    }

    /// The program, with the major version of a browser.
    fn program(&self, is_browser: bool) -> Option<String> {
        let browser = self.browser.as_ref()?;
        let version = self.browser_version.as_deref().filter(|_| is_browser);
        let major = version.and_then(|version| version.split('.').next());
        Some(major.map_or_else(|| browser.clone(), |major| format!("{browser} {major}")))
    }

    /// The model, else the system.
    fn place(&self) -> Option<String> {
        match (&self.model, &self.os, &self.os_version) {
            // Apple's numbers of models tell people nothing.
            (Some(model), ..) if model.contains(',') => {
                Some(model.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == ',').to_owned())
            }
            (Some(model), ..) => Some(model.clone()),
            (None, Some(os), Some(version)) => Some(format!("{os} {version}")),
            (None, os, _) => os.clone(),
        }
    }
}
