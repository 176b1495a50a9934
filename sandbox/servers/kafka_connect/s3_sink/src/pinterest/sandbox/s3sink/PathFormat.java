package pinterest.sandbox.s3sink;

import java.time.format.DateTimeFormatter;
import java.util.Locale;
import org.apache.kafka.common.config.ConfigException;

/**
 * The Confluent sink's {@code path.format}: a Joda-Time pattern, of which the parts that mean a number are supported.
 *
 * <p>Joda's {@code YYYY} is the year of the era. Java's is the year of the week, in which 2023-12-31 belongs to 2024,
 * so that a pattern handed over unchanged files the last days of a year under the next one.
 */
final class PathFormat {
    private static final String SUPPORTED = "yYMdHms";

    private PathFormat() {}

    static DateTimeFormatter compile(String pattern, Locale locale) {
        StringBuilder translated = new StringBuilder();
        boolean quoted = false;
        for (int i = 0; i < pattern.length(); i++) {
            char c = pattern.charAt(i);
            if (c == '\'') {
                quoted = !quoted;
                translated.append(c);
            } else if (quoted) {
                translated.append(c);
            } else if (Character.isLetter(c)) {
                translated.append(field(pattern, i));
            } else {
                translated.append('\'').append(c).append('\'');
            }
        }
        if (quoted) {
            throw new ConfigException(S3SinkConfig.PATH_FORMAT, pattern, "a quote is not closed");
        }
        return DateTimeFormatter.ofPattern(translated.toString().replace("''", ""), locale);
    }

    private static char field(String pattern, int index) {
        char letter = pattern.charAt(index);
        if (SUPPORTED.indexOf(letter) < 0 || pattern.startsWith("MMM", index)) {
            throw new ConfigException(
                    S3SinkConfig.PATH_FORMAT,
                    pattern,
                    "supported are quoted text, YYYY or yyyy, MM, dd, HH, mm, ss and the signs between them");
        }
        return letter == 'Y' || letter == 'y' ? 'u' : letter;
    }
}
