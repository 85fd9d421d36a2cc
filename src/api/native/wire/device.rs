//! Devices.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model;
use crate::model::DeviceType;

/// Device of a session, as it described itself when the session was opened.
#[derive(Debug, Serialize, ToSchema)]
pub struct Device {
    r#type: DeviceKind,
    /// Name for display: the given one, else one like `Firefox 145 on Linux` or `Samsung TV`; null if nothing is known.
    #[schema(example = "Safari 18 on macOS")]
    name: Option<String>,
    /// Model, if the device names it.
    #[schema(example = "Samsung SM-S918B")]
    model: Option<String>,
    /// Operating system.
    #[schema(example = "macOS")]
    os: Option<String>,
    /// Version of the operating system; most browsers tell it only by client hints.
    #[schema(example = "14.5")]
    os_version: Option<String>,
    /// Browser, app or tool.
    #[schema(example = "Safari")]
    browser: Option<String>,
    /// Version of the browser, app or tool.
    #[schema(example = "18.1")]
    browser_version: Option<String>,
}

impl From<model::Device> for Device {
    fn from(device: model::Device) -> Self {
        let name = device.label();
        let model::Device { kind, name: _, model, os, os_version, browser, browser_version } = device;
        Self { r#type: kind.into(), name, model, os, os_version, browser, browser_version }
    }
}

/// Kind of device. An app on a phone is `mobile`; `app` is an app or a tool that does not name its device.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// A computer.
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
    /// An app or a tool on an unnamed device.
    App,
    /// An automated program.
    Bot,
    /// An unknown kind.
    Unknown,
}

impl From<DeviceType> for DeviceKind {
    fn from(kind: DeviceType) -> Self {
        match kind {
            DeviceType::Desktop => Self::Desktop,
            DeviceType::Mobile => Self::Mobile,
            DeviceType::Tablet => Self::Tablet,
            DeviceType::Tv => Self::Tv,
            DeviceType::Console => Self::Console,
            DeviceType::Headset => Self::Headset,
            DeviceType::App => Self::App,
            DeviceType::Bot => Self::Bot,
            DeviceType::Unknown => Self::Unknown,
        }
    }
}

impl From<DeviceKind> for DeviceType {
    fn from(kind: DeviceKind) -> Self {
        match kind {
            DeviceKind::Desktop => Self::Desktop,
            DeviceKind::Mobile => Self::Mobile,
            DeviceKind::Tablet => Self::Tablet,
            DeviceKind::Tv => Self::Tv,
            DeviceKind::Console => Self::Console,
            DeviceKind::Headset => Self::Headset,
            DeviceKind::App => Self::App,
            DeviceKind::Bot => Self::Bot,
            DeviceKind::Unknown => Self::Unknown,
        }
    }
}

/// User-Agent Client Hints: headers of the user's browser, unchanged, with their quotation marks. They tell what its
/// User-Agent header hides, such as Brave, Windows 11 and models of phones. A hint that is longer than 512 bytes or not a
/// structured field (RFC 9651) of its type is ignored.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the names of the headers")]
pub struct ClientHints {
    /// `Sec-CH-UA`.
    #[schema(example = r#""Brave";v="131", "Chromium";v="131", "Not_A Brand";v="24""#)]
    sec_ch_ua: Option<String>,
    /// `Sec-CH-UA-Full-Version-List`.
    sec_ch_ua_full_version_list: Option<String>,
    /// `Sec-CH-UA-Mobile`.
    #[schema(example = "?0")]
    sec_ch_ua_mobile: Option<String>,
    /// `Sec-CH-UA-Platform`.
    #[schema(example = r#""Windows""#)]
    sec_ch_ua_platform: Option<String>,
    /// `Sec-CH-UA-Platform-Version`.
    #[schema(example = r#""15.0.0""#)]
    sec_ch_ua_platform_version: Option<String>,
    /// `Sec-CH-UA-Model`.
    #[schema(example = r#""Pixel 8""#)]
    sec_ch_ua_model: Option<String>,
    /// `Sec-CH-UA-Form-Factors`.
    #[schema(example = r#""Mobile""#)]
    sec_ch_ua_form_factors: Option<String>,
}

impl From<ClientHints> for model::ClientHints {
    fn from(hints: ClientHints) -> Self {
        Self {
            brands: hints.sec_ch_ua,
            full_version_list: hints.sec_ch_ua_full_version_list,
            mobile: hints.sec_ch_ua_mobile,
            platform: hints.sec_ch_ua_platform,
            platform_version: hints.sec_ch_ua_platform_version,
            model: hints.sec_ch_ua_model,
            form_factors: hints.sec_ch_ua_form_factors,
        }
    }
}
