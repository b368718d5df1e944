/* settings_pages.c: `netc explain` of the train section: a setting's page, that of something it may
 * begin with (an optimizer, a schedule, an augmentation, an initialiser), and all of them as JSON.
 */
#include "graph/graph.h"
#include "ops/ops.h"

#include <cjson/cJSON.h>
#include <string.h>

static void explain_choices(const SettingInfo *info, FILE *out)
{
    int width = 0;
    fprintf(out, "\nbegins with\n ");
    for (int i = 0; i < info->choices.count; i++) {
        enum { WIDTH = 84 };
        int length = (int)strlen(info->choices.items[i].name) + 2;
        if (width + length > WIDTH)
            width = fprintf(out, "\n ") - 2;
        width += length;
        fprintf(out, " %s%s", info->choices.items[i].name,
                i + 1 < info->choices.count ? "," : "\n");
    }
}

static void explain_one_setting(const SettingInfo *info, FILE *out)
{
    explain_call(info->name, info->doc, info->args, out);
    if (info->choices.count > 0)
        explain_choices(info, out);
}

bool explain_setting(const char *word, FILE *out)
{
    bool found = false;
    for (int i = 0; setting_info(i).name != NULL; i++) {
        SettingInfo info = setting_info(i);
        if (strcmp(info.name, word) == 0) {
            explain_one_setting(&info, out);
            return true;
        }
        for (int k = 0; k < info.choices.count; k++)
            if (strcmp(info.choices.items[k].name, word) == 0) {
                fprintf(out, "%s", found ? "\n" : "");
                explain_call(word, format("Of the train section's `%s`: %s", info.name, info.doc),
                             info.choices.items[k].args, out);
                found = true;
            }
    }
    return found;
}

void list_settings(FILE *out)
{
    int width = 0;
    for (int i = 0; setting_info(i).name != NULL; i++) {
        int length = (int)strlen(setting_info(i).name);
        width = length > width ? length : width;
    }
    for (int i = 0; setting_info(i).name != NULL; i++)
        fprintf(out, "  %-*s  %s\n", width, setting_info(i).name, setting_info(i).doc);
}

static cJSON *setting_json(const SettingInfo *info)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "name", info->name);
    cJSON_AddStringToObject(object, "doc", info->doc);
    cJSON_AddBoolToObject(object, "required", info->required);
    cJSON_AddBoolToObject(object, "repeated", info->repeated);
    cJSON_AddItemToObject(object, "arguments", arguments_json(info->args));
    cJSON *choices = cJSON_AddArrayToObject(object, "choices");
    for (int i = 0; i < info->choices.count; i++) {
        cJSON *choice = cJSON_CreateObject();
        cJSON_AddStringToObject(choice, "name", info->choices.items[i].name);
        cJSON_AddItemToObject(choice, "arguments", arguments_json(info->choices.items[i].args));
        cJSON_AddItemToArray(choices, choice);
    }
    return object;
}

void explain_json(const Operator *only, FILE *out)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddItemToObject(root, "operators", operators_json(only));
    cJSON *list = only == NULL ? cJSON_AddArrayToObject(root, "settings") : NULL;
    for (int i = 0; list != NULL && setting_info(i).name != NULL; i++) {
        SettingInfo info = setting_info(i);
        cJSON_AddItemToArray(list, setting_json(&info));
    }
    char *text = cJSON_Print(root);
    fprintf(out, "%s\n", text);
    cJSON_free(text);
    cJSON_Delete(root);
}
