/** What people choose most, in lower case: whole passwords and the words that longer ones are put together from. */
export const COMMON_PASSWORDS: readonly string[] = `
  password passwort passw0rd motdepasse contrasena contraseña parola senha haslo wachtwoord passphrase passcode
  qwertyuiop qwertzuiop azertyuiop asdfghjkl yxcvbnm zxcvbnm qwerty qwertz azerty asdfgh asdf qazwsx wsxedc edcrfv 1q2w3e4r 1qaz2wsx
  zaq12wsx q1w2e3r4 qweasd qweasdzxc 1234567890 0987654321 123456789 987654321 12345678 1234567 123456 654321 12345 54321 1234
  4321 123123 121212 112233 123321 789456 147258 159753 11111 22222 00000 66666 99999 88888 77777
  abcdefghijklmnopqrstuvwxyz abcdefghijklm abcdefghijkl abcdefgh abcdef abcde abcd abc123 a1b2c3d4 a1b2c3 aaaaa
  letmein welcome willkommen bienvenue bonjour hello hallo iloveyou loveyou iloveu tequiero teamo jetaime trustno trustnoone
  administrator admin root superuser master manager operator system sysadmin guest user login default changeme change secret
  private access server database internet computer network security testing test demo temp temporary example sample
  monkey dragon sunshine princess football baseball basketball superman batman spiderman ironman pokemon starwars starwar
  michael jordan jennifer jessica ashley daniel thomas andrew robert charlie william matthew joshua nicole michelle anthony
  shadow killer hunter ranger buster soccer hockey tigger pepper ginger summer winter spring autumn january february monday
  friday sunday purple orange yellow silver golden diamond flower butterfly chocolate cookie cheese banana freedom forever
  whatever nothing something lovely angel blessed jesus christ heaven matrix maverick mustang corvette ferrari porsche
  mercedes yamaha harley liverpool chelsea arsenal barcelona realmadrid juventus manchester yankees cowboys eagles
  google facebook youtube twitter instagram linkedin microsoft windows apple samsung github gitlab docker kubernetes postgres
  mysql oracle webhook webhooks hook0 posthorn svix stripe
  correcthorsebatterystaple correcthorse batterystaple thequickbrownfox quickbrownfox loremipsum openthedoor opensesame
`
  .trim()
  .split(/\s+/);
