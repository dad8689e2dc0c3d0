import { Code, XuangateError } from "@xuangate/sdk";
import { language } from "./look.js";
import { fill, words } from "./words.js";

/** The API's sentences are English. What a user meets is said in Chinese here; with {0} the sentence follows, for it says most. */
const chinese: Partial<Record<Code, string>> = {
  [Code.InvalidParameter]: "内容不符合要求:{0}",
  [Code.Unreachable]: "聊天服务器没有响应,请稍后再试",
  [Code.NotAllowed]: "没有权限",
  [Code.TooSlow]: "聊天服务器响应太慢,不知是否已完成",
  [Code.NotFound]: "会话不存在,或您不是成员",
  [Code.Conflict]: "聊天服务器不接受:{0}",
  [Code.Unsupported]: "聊天服务器的版本不支持",
  [Code.TooLarge]: "内容太大",
  [Code.TooManyRequests]: "操作太频繁,请稍后再试",
  [Code.InvalidToken]: "登录已失效,请重新登录",
  [Code.SignedInElsewhere]: "您已在其他地方登录",
  [Code.WrongPassword]: "账号或密码错误,连续错三次账号会被锁定十分钟",
  [Code.AccountLocked]: "账号已被锁定,请十分钟后再试",
  [Code.AccountDisabled]: "账号已停用",
  [Code.Internal]: "服务器出错了",
};

/** problemOf is what to tell a user of an error, in the language of the page. */
export function problemOf(error: unknown): string {
  const sentence = error instanceof Error ? error.message : String(error);
  if (!(error instanceof XuangateError)) return sentence;
  if (error.code === Code.NoAnswer) return words().unreachable;
  return fill((language.value === "zh" && chinese[error.code]) || "{0}", sentence);
}
