//! Arabic.

use super::texts::{Done, Problem, Unit, Words};

const MONTHS: [&str; 12] =
    ["يناير", "فبراير", "مارس", "أبريل", "مايو", "يونيو", "يوليو", "أغسطس", "سبتمبر", "أكتوبر", "نوفمبر", "ديسمبر"];

pub(super) static WORDS: Words = Words {
    lang: "ar",
    dir: "rtl",
    title: "أماكن تسجيل دخولك",
    lead: "يمكن لهذه المتصفحات والتطبيقات استخدام حسابك. أنهِ ما لم تعد بحاجة إليه.",
    back: "رجوع",
    this_device: "هذا الجهاز",
    now: "نشط الآن",
    others: "أجهزة أخرى",
    devices: "الأجهزة",
    no_others: "لست مسجّل الدخول في أي مكان آخر.",
    none: "لست مسجّل الدخول في أي مكان.",
    over: "جلسات انتهت خلال آخر 30 يومًا",
    end: "إنهاء",
    sign_out: "تسجيل الخروج",
    end_others: "تسجيل الخروج من كل مكان آخر",
    end_all: "تسجيل الخروج من كل مكان",
    rename: "إعادة التسمية",
    name_of_device: "اسم الجهاز",
    save: "حفظ",
    details: "التفاصيل",
    address: "عنوان IP",
    unknown_device: "جهاز غير معروف",
    visit: "يرى هذا المتصفح الصفحة عبر رابط لمدة 30 دقيقة.",
    close: "إغلاق الصفحة",
    open: "فتح جلساتك",
    open_lead: "يعرض هذا الرابط أماكن تسجيل دخولك مرة واحدة وفي هذا المتصفح فقط.",
    continue_on: "متابعة",
    to_sign_in: "تسجيل الدخول",
    to_sessions: "إلى جلساتك",
    request: "الطلب",
    gone: "أُنهيت جلسة من مكان آخر.",
    // The mark keeps the order of the words, which begin and end with Latin letters.
    on: |program, place| format!("\u{200f}{program} على {place}"),
    safety: |application| {
        let place = application.map(|name| format!(" في {name}")).unwrap_or_default();
        format!("هل ترى شيئًا لا تعرفه؟ أنهِه ثم غيّر كلمة المرور{place}.")
    },
    since: |date| format!("مسجّل الدخول منذ {date}"),
    last_used: |ago| format!("آخر استخدام {ago}"),
    date: |day, month, year| format!("{day} {} {year}", MONTHS.get(month as usize - 1).unwrap_or(&"")),
    ago: |unit, number| match number {
        0 => "قبل لحظات".to_owned(),
        _ => format!("قبل {}", counted(forms_of(unit), number)),
    },
    more: |number| format!("{} غير معروضة.", counted(&SESSIONS, number)),
    reason: |reason| match reason {
        "logout" => "تم تسجيل الخروج",
        "revoked_by_user" => "أنهيتَها بنفسك",
        "revoked_by_admin" => "أنهاها أحد المشرفين",
        "replaced" => "حلّ محلها تسجيل دخول أحدث",
        "reuse_detected" => "أُنهيت حفاظًا على الأمان: استُخدم رمزها مرتين",
        "user_banned" => "أُنهيت لأن الحساب أُغلق",
        "user_deleted" => "أُنهيت مع الحساب",
        "expired" => "انتهت صلاحيتها",
        "idle_expired" => "لم تُستخدم لمدة طويلة",
        _ => "أُنهيت",
    },
    done: |done| match done {
        Done::Ended => "أُنهيت الجلسة.".to_owned(),
        Done::EndedOthers(0) => "لم يكن هناك شيء آخر لإنهائه.".to_owned(),
        Done::EndedOthers(number) => format!("تم تسجيل خروجك من {}.", counted(&DEVICES, number)),
        Done::Renamed => "حُفظ الاسم.".to_owned(),
    },
    problem: |problem| match problem {
        Problem::NotSignedIn => ("لست مسجّل الدخول", "سجّل الدخول لترى أين يُستخدم حسابك."),
        Problem::JustSignedOut => ("تم تسجيل خروجك", "أُنهيت جلستك على هذا الجهاز."),
        Problem::Closed => ("أُغلقت الصفحة", "لم يعد هذا المتصفح يرى جلساتك."),
        Problem::LinkGone => ("لم يعد هذا الرابط يفتح شيئًا", "استُخدم من قبل أو أصبح قديمًا. اطلب رابطًا جديدًا."),
        Problem::OtherSite => ("لم يتغيّر شيء", "جاء الطلب من موقع آخر. حاول من هذه الصفحة."),
        Problem::SignInAgain => ("سجّل الدخول مرة أخرى أولًا", "مضى وقت طويل على تسجيل دخولك فلا يمكنك إنهاء جلسات أخرى."),
        Problem::NotFound => ("لا توجد جلسة كهذه", "ليست من جلساتك أو لم تعد محفوظة."),
        Problem::IsOver => ("انتهت هذه الجلسة", "أُنهيت أو انتهت صلاحيتها."),
        Problem::BadName => ("لا يمكن حفظ هذا الاسم", "يتكوّن الاسم من 255 حرفًا على الأكثر في سطر واحد."),
        Problem::TooMany => ("طلبات كثيرة جدًا", "انتظر لحظة ثم حاول مرة أخرى."),
        Problem::Unreachable => ("هذا غير ممكن حاليًا", "لم يتغيّر شيء. حاول مرة أخرى بعد لحظة."),
        Problem::Broken => ("حدث خطأ من جانبنا", "حاول مرة أخرى بعد لحظة."),
    },
};

/// The forms of a counted noun: of one, of two, of few (3 to 10), of many (11 to 99), and of others (100, 101, 102).
type Forms = [&'static str; 5];

const SESSIONS: Forms = ["جلسة واحدة", "جلستان", "جلسات", "جلسة", "جلسة"];
const DEVICES: Forms = ["جهاز آخر واحد", "جهازين آخرين", "أجهزة أخرى", "جهازًا آخر", "جهاز آخر"];

fn forms_of(unit: Unit) -> &'static Forms {
    match unit {
        Unit::Minute => &["دقيقة واحدة", "دقيقتين", "دقائق", "دقيقة", "دقيقة"],
        Unit::Hour => &["ساعة واحدة", "ساعتين", "ساعات", "ساعة", "ساعة"],
        Unit::Day => &["يوم واحد", "يومين", "أيام", "يومًا", "يوم"],
    }
}

/// A number and its noun, by the plural rules of Unicode's CLDR. One and two are in the noun itself.
fn counted([one, two, few, many, other]: &Forms, number: u32) -> String {
    match (number, number % 100) {
        (1, _) => (*one).to_owned(),
        (2, _) => (*two).to_owned(),
        (_, 3..=10) => format!("{number} {few}"),
        (_, 11..=99) => format!("{number} {many}"),
        _ => format!("{number} {other}"),
    }
}
