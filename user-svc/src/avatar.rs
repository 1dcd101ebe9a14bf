//! Pictures: whatever comes in goes out as a JPEG of ours.
//!
//! Decoding and encoding anew is what removes metadata (where a photograph was taken), trailing data and whatever
//! else a file may hide; the size is checked before anything is unpacked.

use std::{io::Cursor, sync::LazyLock};

use image::{
    DynamicImage, ImageDecoder as _, ImageError, ImageFormat, ImageReader, codecs::jpeg::JpegEncoder,
    imageops::FilterType,
};
use irongate_shared::{
    db::{Db, DbError},
    id::UserId,
    problem::{Problem, kind},
};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use crate::{
    account::{Accounts, ChangeError, IfMatch},
    store::{avatars, users},
};

/// What a file may hold.
pub(crate) const MOST_BYTES: usize = 5 << 20;

/// A picture of more pixels a side takes longer to read than one may wait.
const MOST_SIDE: u32 = 4096;

/// SECURITY: decompression bombs: unpacked it may take no more than this.
const MOST_UNPACKED: u64 = 128 << 20;

/// Of the square that is kept.
const SIDE: u32 = 256;

const QUALITY: u8 = 85;

/// Pictures that are worked on at once; each takes a core for a moment.
static TURNS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(2));

#[derive(Debug, thiserror::Error)]
pub(crate) enum AvatarError {
    #[error("the file is no picture that we read")]
    NoPicture,
    #[error("the picture is too large")]
    TooLarge,
    #[error("too many pictures at once")]
    Busy,
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl From<DbError> for AvatarError {
    fn from(why: DbError) -> Self {
        ChangeError::from(why).into()
    }
}

impl From<diesel::result::Error> for AvatarError {
    fn from(why: diesel::result::Error) -> Self {
        DbError::from(why).into()
    }
}

impl From<AvatarError> for Problem {
    fn from(why: AvatarError) -> Self {
        match why {
            AvatarError::NoPicture => {
                Self::new(kind::UNSUPPORTED_MEDIA_TYPE).detail("Send a JPEG, PNG, WebP or GIF picture.")
            }
            AvatarError::TooLarge => Self::new(kind::TOO_LARGE)
                .detail(format!("A picture may have {MOST_SIDE} pixels a side and {MOST_BYTES} bytes.")),
            AvatarError::Busy => Self::unavailable(why),
            AvatarError::Change(why) => why.into(),
        }
    }
}

impl Accounts {
    /// Stores a picture as a user's avatar.
    pub(crate) async fn set_avatar(&self, user: UserId, file: Vec<u8>) -> Result<(), AvatarError> {
        let turn = tokio::time::timeout(std::time::Duration::from_secs(2), TURNS.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(AvatarError::Busy) };
        let jpeg = tokio::task::spawn_blocking(move || square_jpeg(&file))
            .await
            .map_err(|_| AvatarError::NoPicture)??;
        let hash = Sha256::digest(&jpeg);
        let name: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let file = format!("{name}.jpg");
        let stored = file.clone();
        self.database.write(move |db| Ok::<_, AvatarError>(avatars::put(db, user, &stored, &jpeg)?)).await?;
        self.change(user, IfMatch::Any, None, move |user| user.avatar = Some(file)).await?;
        Ok(())
    }

    pub(crate) async fn remove_avatar(&self, user: UserId) -> Result<(), AvatarError> {
        self.change(user, IfMatch::Any, None, |user| user.avatar = None).await?;
        self.database.write(move |db| Ok::<_, AvatarError>(avatars::delete(db, user)?)).await
    }

    pub(crate) async fn avatar(&self, user: UserId, file: String) -> Result<Option<Vec<u8>>, DbError> {
        let read = move |db: &mut Db| {
            // Of who deleted the account nobody sees anything.
            if users::by_id(db, user)?.is_none() {
                return Ok(None);
            }
            avatars::get(db, user, &file)
        };
        self.database.read(read).await
    }
}

/// The middle square of a picture, as it was meant to be held, in our size.
fn square_jpeg(file: &[u8]) -> Result<Vec<u8>, AvatarError> {
    let unreadable = |why: ImageError| match why {
        ImageError::Limits(_) => AvatarError::TooLarge,
        _ => AvatarError::NoPicture,
    };
    let mut reader =
        ImageReader::new(Cursor::new(file)).with_guessed_format().map_err(|_| AvatarError::NoPicture)?;
    let known = [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif];
    reader.format().filter(|format| known.contains(format)).ok_or(AvatarError::NoPicture)?;
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(MOST_SIDE);
    limits.max_image_height = Some(MOST_SIDE);
    limits.max_alloc = Some(MOST_UNPACKED);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    // This way of decoding does not look at `max_alloc` by itself.
    if decoder.total_bytes() > MOST_UNPACKED {
        return Err(AvatarError::TooLarge);
    }
    let orientation = decoder.orientation().map_err(unreadable)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    picture.apply_orientation(orientation);
    let square = picture.resize_to_fill(SIDE, SIDE, FilterType::Triangle);
    // JPEG knows no transparency: what shines through is white.
    let mut opaque = image::RgbaImage::from_pixel(SIDE, SIDE, image::Rgba([255; 4]));
    image::imageops::overlay(&mut opaque, &square.to_rgba8(), 0, 0);
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY)
        .encode_image(&DynamicImage::ImageRgba8(opaque).to_rgb8())
        .map_err(unreadable)?;
    Ok(jpeg)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut file = Vec::new();
        let picture =
            DynamicImage::ImageRgb8(image::RgbImage::from_pixel(width, height, image::Rgb([200, 10, 10])));
        picture.write_to(&mut Cursor::new(&mut file), ImageFormat::Png).unwrap();
        file
    }

    #[test]
    fn a_picture_becomes_a_small_square_jpeg() {
        let jpeg = square_jpeg(&png(640, 300)).unwrap();

        let read = image::load_from_memory_with_format(&jpeg, ImageFormat::Jpeg).unwrap();
        assert_eq!((read.width(), read.height()), (SIDE, SIDE));
    }

    #[test]
    fn what_hides_in_a_file_does_not_come_out() {
        let mut file = png(10, 10);
        file.extend_from_slice(b"<script>alert(1)</script>");

        let jpeg = square_jpeg(&file).unwrap();

        assert!(!jpeg.windows(7).any(|seven| seven == b"<script"));
    }

    /// A photograph of a telephone that was held upright: two colours one above the other, lying on their side in the
    /// file, which says so, and where it was taken.
    fn photograph() -> Vec<u8> {
        let pixel = |x, _| if x < 32 { image::Rgb([200, 10, 10]) } else { image::Rgb([10, 10, 200]) };
        let mut jpeg = Vec::new();
        JpegEncoder::new(&mut jpeg).encode_image(&image::RgbImage::from_fn(64, 64, pixel)).unwrap();
        // TIFF, big-endian, one entry: orientation (0x0112), a short, 6: turn it clockwise.
        let tiff = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        let exif = [b"Exif\0\0".as_slice(), tiff, b"GPS 47.3769 N 8.5417 E"].concat();
        let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
        // Behind the start of the image (Exif 2.3, 4.5.4).
        [&jpeg[..2], b"\xff\xe1", &length, &exif, &jpeg[2..]].concat()
    }

    #[test]
    fn a_photograph_stands_upright_and_does_not_say_where_it_was_taken() {
        let jpeg = square_jpeg(&photograph()).unwrap();

        assert!(!jpeg.windows(4).any(|four| four == b"Exif" || four == b"GPS "));
        let read = image::load_from_memory(&jpeg).unwrap().to_rgb8();
        let colour_at = |x, y| if read.get_pixel(x, y)[0] > 100 { "red" } else { "blue" };
        assert_eq!((colour_at(128, 20), colour_at(128, 236)), ("red", "blue"), "one above the other");
    }

    #[test]
    fn what_is_no_picture_or_too_large_is_refused() {
        assert!(matches!(
            square_jpeg(b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
            Err(AvatarError::NoPicture)
        ));
        assert!(matches!(square_jpeg(b""), Err(AvatarError::NoPicture)));
        assert!(matches!(square_jpeg(&png(10, 10)[..40]), Err(AvatarError::NoPicture)));
        assert!(matches!(square_jpeg(&png(MOST_SIDE + 1, 1)), Err(AvatarError::TooLarge)));
    }
}
