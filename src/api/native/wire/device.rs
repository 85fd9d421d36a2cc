//! Devices.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model;
use crate::model::DeviceType;

/// The device of a session, as it described itself when the session was opened.
#[derive(Debug, Serialize, ToSchema)]
pub struct Device {
    r#type: DeviceKind,
    /// The name to show: the one that it was given, else one made of what is known, like `Firefox 145 on Linux` or
    /// `Samsung TV`. Null when nothing is known.
    #[schema(example = "Safari 18 on macOS")]
    name: Option<String>,
    /// The model, as far as the device names it.
    #[schema(example = "Samsung SM-S918B")]
    model: Option<String>,
    #[schema(example = "macOS")]
    os: Option<String>,
    /// Null where browsers keep it to themselves, and without client hints they mostly do.
    #[schema(example = "14.5")]
    os_version: Option<String>,
    /// The browser, app or tool.
    #[schema(example = "Safari")]
    browser: Option<String>,
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

/// A kind of device.
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
    /// An app or a tool that does not name its device. An app on a phone is `mobile`.
    App,
    /// A program without a person.
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

/// User-Agent Client Hints: headers of the user's browser, as it sent them, quotation marks and all. They name what the
/// User-Agent header keeps to itself: Brave, Windows 11, models of phones. Each tells what it can and makes no sign-in
/// fail: one that is longer than 512 bytes or no structured field (RFC 9651) of its type is ignored.
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
