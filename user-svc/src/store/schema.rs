//! The tables as diesel sees them, the same for both databases.

diesel::table! {
    users (id) {
        id -> Text,
        username -> Text,
        username_key -> Text,
        email -> Text,
        email_key -> Text,
        email_verified -> Bool,
        display_name -> Text,
        search_key -> Text,
        bio -> Text,
        role -> Text,
        avatar -> Nullable<Text>,
        version -> BigInt,
        created_at_ms -> BigInt,
        updated_at_ms -> BigInt,
        locked_at_ms -> Nullable<BigInt>,
        deleted_at_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    /// auth-svc's; the first row of a user is written here, at registration.
    credentials (user_id) {
        user_id -> Text,
        username_key -> Text,
        email_key -> Text,
        password_hash -> Nullable<Text>,
        password_set_at_ms -> BigInt,
        account -> Text,
        account_version -> BigInt,
        status -> Text,
    }
}

diesel::table! {
    avatars (user_id) {
        user_id -> Text,
        file -> Text,
        jpeg -> Binary,
    }
}
