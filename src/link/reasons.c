/* What a broker's reason for refusing a publication means, code by code (MQTT 5, section 3.4.2.1 for PUBACK;
 * some brokers end the session with one of 3.14.2.1 instead), and the errors with which the library refuses
 * to send. */
#include "link/session.h"

#include <mqtt_protocol.h>

static const struct {
    int reason;
    enum publish_verdict verdict;
} verdicts[] = {
    {MQTT_RC_SUCCESS, VERDICT_TAKEN},
    {MQTT_RC_NO_MATCHING_SUBSCRIBERS, VERDICT_TAKEN},
    {MQTT_RC_UNSPECIFIED, VERDICT_AGAIN},
    {MQTT_RC_IMPLEMENTATION_SPECIFIC, VERDICT_AGAIN},
    {MQTT_RC_PACKET_ID_IN_USE, VERDICT_AGAIN},
    {MQTT_RC_MESSAGE_RATE_TOO_HIGH, VERDICT_SLOWER},
    {MQTT_RC_QUOTA_EXCEEDED, VERDICT_SLOWER}, /* AWS IoT Core: 100 a second and connection */
    {MQTT_RC_NOT_AUTHORIZED, VERDICT_TOPIC},
    {MQTT_RC_TOPIC_FILTER_INVALID, VERDICT_TOPIC},
    {MQTT_RC_TOPIC_NAME_INVALID, VERDICT_TOPIC}, /* AWS IoT Core: more than 7 slashes */
    {MQTT_RC_PACKET_TOO_LARGE, VERDICT_MESSAGE},
    {MQTT_RC_PAYLOAD_FORMAT_INVALID, VERDICT_MESSAGE},
    {MOSQ_ERR_OVERSIZE_PACKET, VERDICT_MESSAGE},
    {MOSQ_ERR_PAYLOAD_SIZE, VERDICT_MESSAGE},
    {MOSQ_ERR_MALFORMED_UTF8, VERDICT_MESSAGE},
    {MOSQ_ERR_INVAL, VERDICT_MESSAGE},
};

enum publish_verdict link__verdict(int reason)
{
    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++)
        if (verdicts[i].reason == reason)
            return verdicts[i].verdict;
    return VERDICT_AGAIN;
}
