DROP TABLE profiles;
DROP TABLE reactions;
DROP TABLE room_events;
DROP TABLE messages;
DROP TABLE bans;
DROP TABLE members;
DROP TABLE rooms;
