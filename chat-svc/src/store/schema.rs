//! The tables as diesel knows them; kept by hand, because they are the same on both databases.

diesel::table! {
    rooms (id) {
        id -> Text,
        kind -> Text,
        name -> Nullable<Text>,
        name_key -> Nullable<Text>,
        topic -> Text,
        created_by -> Text,
        last_seq -> BigInt,
        member_count -> BigInt,
        created_at_ms -> BigInt,
    }
}

diesel::table! {
    members (room_id, user_id) {
        room_id -> Text,
        user_id -> Text,
        role -> Text,
        last_read_seq -> BigInt,
        muted_until_ms -> Nullable<BigInt>,
        joined_at_ms -> BigInt,
    }
}

diesel::table! {
    bans (room_id, user_id) {
        room_id -> Text,
        user_id -> Text,
        banned_by -> Text,
        reason -> Nullable<Text>,
        until_ms -> Nullable<BigInt>,
        created_at_ms -> BigInt,
    }
}

diesel::table! {
    messages (room_id, seq) {
        room_id -> Text,
        seq -> BigInt,
        sender_id -> Text,
        client_id -> Text,
        body -> Nullable<Text>,
        reply_to -> Nullable<BigInt>,
        created_at_ms -> BigInt,
        edited_at_ms -> Nullable<BigInt>,
        deleted_at_ms -> Nullable<BigInt>,
        attachments -> Nullable<Text>,
    }
}

diesel::table! {
    room_events (room_id, seq) {
        room_id -> Text,
        seq -> BigInt,
        kind -> Text,
        actor_id -> Text,
        ref_seq -> Nullable<BigInt>,
        subject -> Nullable<Text>,
        detail -> Nullable<Text>,
        created_at_ms -> BigInt,
    }
}

diesel::table! {
    reactions (room_id, seq, emoji, user_id) {
        room_id -> Text,
        seq -> BigInt,
        emoji -> Text,
        user_id -> Text,
        created_at_ms -> BigInt,
    }
}

diesel::table! {
    attachments (id) {
        id -> Text,
        room_id -> Text,
        uploader_id -> Text,
        seq -> Nullable<BigInt>,
        name -> Text,
        content_type -> Text,
        size -> BigInt,
        width -> Nullable<BigInt>,
        height -> Nullable<BigInt>,
        created_at_ms -> BigInt,
        removed_at_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    mentions (user_id, room_id, seq) {
        user_id -> Text,
        room_id -> Text,
        seq -> BigInt,
    }
}

diesel::table! {
    profiles (user_id) {
        user_id -> Text,
        username -> Text,
        username_key -> Text,
        display_name -> Text,
        avatar_url -> Nullable<Text>,
        known_at_ms -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    rooms,
    members,
    bans,
    messages,
    room_events,
    reactions,
    mentions,
    attachments,
    profiles
);
