package pinterest.sandbox.s3sink;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.util.zip.GZIPOutputStream;

/**
 * The lines of one object of the lake, growing in memory. The same lines give the same bytes: Java's gzip header holds
 * neither a time nor a name.
 */
final class LakeObject {
    private final String key;
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final OutputStream lines;

    LakeObject(String key, boolean compressed) {
        this.key = key;
        try {
            this.lines = compressed ? new GZIPOutputStream(bytes) : bytes;
        } catch (IOException error) {
            throw new UncheckedIOException(error); // memory does not fail so
        }
    }

    String key() {
        return key;
    }

    void add(byte[] line) {
        try {
            lines.write(line);
            lines.write('\n');
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /** The bytes so far; with compression what the compressor still holds is not counted. */
    int size() {
        return bytes.size();
    }

    /** Ends the object, which takes no line after this, and returns its bytes; called again, the same ones. */
    byte[] close() {
        try {
            lines.close();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        return bytes.toByteArray();
    }
}
