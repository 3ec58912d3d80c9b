"""Words that may stand before an answer, as in "So, yes", as regular expressions in lower case."""

LEADS = (
    r"oh|ooh|well|h+m+|sure|sorry|ok|okay|alright|honestly|personally|so|then|therefore|hence|thus"
    r"|and"
    r"|definitely|absolutely|certainly|obviously|clearly|hell|haha|ah|um|uh|overall|in short|also"
    r"|in conclusion|as (?:this|that|the) (?:person|persona|character|user)|as myself|as me|for me"
    r"|i think"
    r"|i guess|i believe|i suppose|simply|my honest take"
    r"|deshalb|daher|darum|also|somit|folglich|fazit|kurz gesagt|natürlich|klar"
    r"|ich (?:würde )?sagen?"
    r"|por eso|por lo tanto|así que|entonces|en resumen|claro que|por supuesto que|yo diría que"
    r"|diría que"
    r"|donc|alors|en résumé|bien sûr que|mais bien sûr que|je dirais(?: que)?"
    r"|então|portanto|por isso|em resumo|com certeza|eu diria(?: que)?"
    r"|quindi|perciò|allora|in sintesi|certo che|direi(?: di| che)?"
    r"|dus|daarom|kortom|ik zou zeggen|поэтому|значит|итак|в общем|в итоге|я бы сказала?(?: что)?"
    r"|dlatego|więc|zatem|podsumowując|bu yüzden|o yüzden|bu nedenle|sonuç olarak|kısacası"
    r"|jadi|maka|karena itu|vì vậy|do đó|nên|لذلك|لذا|إذن|بالتأكيد|بالطبع|इसलिए|तो"
)
JOINED_LEADS = (
    r"なので|ですので|だから|したがって|よって|そのため|結論として"
    r"|所以|因此|总之|總之|那么|그래서|따라서|그러므로|결론적으로"
)
"""Leads in scripts that leave no blank behind a word."""
WEAK_LEADS = r"maybe|perhaps|possibly|but|or|or rather|rather|wait|otherwise|else|mostly|at first"
