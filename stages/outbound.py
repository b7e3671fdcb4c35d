"""Where a link on Reddit leads: to a page of text elsewhere, or to what has none; lists of our own."""

from collections.abc import Collection, Iterator, Mapping
from typing import Literal

from stages.canonical import Address

Rule = Literal["reddit", "wikipedia", "media", "file"]
REDDIT: Rule = "reddit"
WIKIPEDIA: Rule = "wikipedia"
MEDIA: Rule = "media"  # hosts of it
FILE: Rule = "file"  # that is no page
RULES = (REDDIT, WIKIPEDIA, MEDIA, FILE)
_HOSTS: Mapping[Rule, str] = {
    REDDIT: "reddit.com redd.it redditmedia.com redditstatic.com reddituploads.com",
    WIKIPEDIA: "wikipedia.org wikipedia.com secure.wikimedia.org wikiwand.com",
    # pictures; videos; sound; files to download
    MEDIA: """
        500px.com abload.de artstation.com deviantart.com flic.kr flickr.com ggpht.com giphy.com
        gfycat.com lh3.googleusercontent.com gyazo.com ibb.co imagebam.com imageshack.com imageshack.us
        imagevenue.com imgbb.com imgbox.com imgflip.com imgur.com instagr.am instagram.com livememe.com
        makeagif.com memecrunch.com memegenerator.net min.us minus.com photobucket.com
        picasaweb.google.com pinimg.com pinterest.com pixiv.net postimage.org postimg.cc postimg.org
        prnt.sc qkme.me quickmeme.com redgifs.com sli.mg smugmug.com staticflickr.com tinypic.com
        twimg.com twitpic.com unsplash.com upload.wikimedia.org yfrog.com
        bitchute.com brightcove.com clips.twitch.tv coub.com crackle.com dai.ly dailymotion.com
        funnyordie.com hulu.com liveleak.com medal.tv metacafe.com netflix.com nicovideo.jp odysee.com
        oddshot.tv periscope.tv plays.tv pornhub.com redtube.com rumble.com rutube.ru streamable.com
        streamja.com tiktok.com tubechop.com tudou.com twitch.tv ustream.tv veoh.com viddler.com
        video.google.com vid.me vidble.com vimeo.com vine.co xhamster.com xnxx.com xvideos.com youku.com
        youporn.com youtu.be youtube-nocookie.com youtube.com youtubedoubler.com yt.be
        8tracks.com audioboom.com audiomack.com bandcamp.com clyp.it datpiff.com deezer.com
        grooveshark.com itunes.apple.com mixcloud.com music.apple.com pandora.com podcasts.apple.com
        soundcloud.com spotify.com tidal.com vocaroo.com
        4shared.com depositfiles.com drive.google.com dropbox.com dropboxusercontent.com filefactory.com
        hotfile.com mediafire.com mega.co.nz mega.nz megaupload.com onedrive.live.com rapidshare.com
        sendspace.com uploaded.net we.tl wetransfer.com zippyshare.com
        """,
}
_ENDINGS = """
    apng avif bmp cr2 eps gif gifv heic ico jfif jpe jpeg jpg png psd svg svgz tga tif tiff webp
    3gp asf avi divx f4v flv m2ts m4v mkv mov mp4 mpeg mpg ogm ogv qt rm rmvb swf vob webm wmv
    aac aif aiff amr ape au flac m3u m3u8 m4a m4b mid midi mp2 mp3 oga ogg opus pls ra ram wav wma
    7z apk bin bz2 cab crx deb dll dmg exe gz ipa iso jar lz lzma msi pkg rar rpm tar tbz tgz torrent xpi
    xz zip
    azw3 cbr cbz csv djvu doc docx dvi epub mobi odp ods odt pdf pps ppt pptx ps rtf xls xlsm xlsx
    glb kml kmz mat npy npz otf parquet pkl sqlite stl ttf woff woff2
    """
_RULE_OF = {host: rule for rule, hosts in _HOSTS.items() for host in hosts.split()}
_FILES = frozenset(_ENDINGS.split())


def leads_to(place: Address, rules: Collection[str] = RULES) -> str | None:
    """Which of the rules a link breaks: it leads to Reddit, Wikipedia, a host of media, or a file.

    A host is one of ours or below one; a file is known by the end of the URL's path.
    """
    for name in _above(place.host):
        if (rule := _RULE_OF.get(name)) in rules:
            return rule
    if FILE in rules:
        path = place.rest.partition("?")[0]
        _, dot, ending = path.rpartition("/")[2].rpartition(".")
        if dot and ending.lower() in _FILES:
            return FILE
    return None


def _above(host: str) -> Iterator[str]:
    """A host, and each domain above it of two labels or more."""
    while "." in host:
        yield host
        host = host.partition(".")[2]
