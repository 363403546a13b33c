"""Uploads a file with tuspy (Debian: python3-tuspy), each body with its SHA-1: URL TOKEN FILE CHUNK_BYTES [STOP_AT]. Prints the URL and the offset."""
import sys

from tusclient import client

server, token, path, chunk_bytes = sys.argv[1:5]
stop_at = int(sys.argv[5]) if len(sys.argv) > 5 else None
tus = client.TusClient(server, headers={'Authorization': 'Bearer ' + token})
resume = sys.argv[6] if len(sys.argv) > 6 else None
uploader = tus.uploader(path, url=resume, chunk_size=int(chunk_bytes), upload_checksum=True)
uploader.upload(stop_at=stop_at)
print(uploader.url, uploader.offset)
